"""Tariffs, for everybody who comes in."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView, RetrieveAPIView

from billing.api.tariff_serializers import TariffOut
from billing.models import Tariff
from billing.selectors.tariffs import tariffs_with_versions


@extend_schema_view(get=extend_schema(operation_id="tariffs_list", tags=["tariffs"]))
class TariffListView(ListAPIView[Tariff]):
    """Every tariff with its versions, what they charge and what that means in words."""

    queryset = tariffs_with_versions()
    serializer_class = TariffOut
    filter_backends = ()


@extend_schema_view(get=extend_schema(operation_id="tariffs_retrieve", tags=["tariffs"]))
class TariffDetailView(RetrieveAPIView[Tariff]):
    """One tariff with its versions, what they charge and what that means in words."""

    queryset = tariffs_with_versions()
    serializer_class = TariffOut
    lookup_field = "code"
