"""Tariffs, for everybody who comes in."""

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView, RetrieveAPIView

from billing.api.serializers import TariffOut
from billing.models import Tariff, TariffVersion

_TARIFFS = (
    Tariff.objects.select_related("tax")
    .prefetch_related(
        Prefetch("versions", TariffVersion.objects.filter(superseded_at__isnull=True)), "versions__components"
    )
    .order_by("code")
)


@extend_schema_view(get=extend_schema(operation_id="tariffs_list", tags=["tariffs"]))
class TariffListView(ListAPIView[Tariff]):
    """Every tariff with its versions."""

    queryset = _TARIFFS
    serializer_class = TariffOut
    filter_backends = ()


@extend_schema_view(get=extend_schema(operation_id="tariffs_retrieve", tags=["tariffs"]))
class TariffDetailView(RetrieveAPIView[Tariff]):
    """One tariff with its versions."""

    queryset = _TARIFFS
    serializer_class = TariffOut
    lookup_field = "code"
