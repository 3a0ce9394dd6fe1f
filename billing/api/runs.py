"""Bill runs, for managers."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListCreateAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import HasRole, actor_of
from accounts.roles import Role
from billing.api.serializers import BillRunIn, BillRunOut, EnergyField, MoneyField
from billing.models import Bill, BillRun
from billing.selectors.runs import run_totals
from billing.services.runs import request_month


class BillSumOut(serializers.Serializer[Any]):
    """Bills of one status and currency that are not held; the share is the mean of what is estimated in them."""

    status = serializers.ChoiceField(Bill.Status.choices)
    currency = serializers.CharField()
    bills = serializers.IntegerField()
    consumption_kwh = EnergyField(source="energy_kwh")
    total = MoneyField()
    estimated_share = serializers.FloatField()


class HeldBillsOut(serializers.Serializer[Any]):
    """Drafts that are held for one reason."""

    held_because = serializers.CharField(source="reason")
    reason = serializers.CharField(source="reason.label")
    bills = serializers.IntegerField()


class BillRunDetailOut(BillRunOut):
    """A run with what its bills come to, and why drafts are held."""

    bills = BillSumOut(many=True, source="totals.sums")
    held = HeldBillsOut(many=True, source="totals.holds")

    class Meta(BillRunOut.Meta):
        fields: tuple[str, ...] = (*BillRunOut.Meta.fields, "bills", "held")
        read_only_fields = fields

    def to_representation(self, instance: BillRun) -> Any:
        """Show a run, its bills added up once."""
        instance.totals = run_totals(instance)  # type: ignore[attr-defined]
        return super().to_representation(instance)


@extend_schema_view(get=extend_schema(operation_id="bill_runs_list", tags=["bill runs"]))
class BillRunListView(ListCreateAPIView[BillRun]):
    """Runs, newest month first; POST starts or continues a month's, or previews it."""

    queryset = BillRun.objects.order_by("-month", "pk")
    permission_classes = (HasRole(Role.MANAGER, Role.ADMIN),)
    serializer_class = BillRunOut
    filter_backends = ()

    @extend_schema(
        operation_id="bill_runs_start",
        tags=["bill runs"],
        request=BillRunIn,
        responses={202: OpenApiResponse(BillRunOut, description="It runs; its progress is at Location.")},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        wanted = BillRunIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        run = request_month(**wanted.validated_data, actor=actor_of(request), now=timezone.now())
        location = request.build_absolute_uri(f"{request.path}/{run.pk}")
        return Response(BillRunOut(run).data, status=202, headers={"Location": location})


@extend_schema_view(get=extend_schema(operation_id="bill_runs_retrieve", tags=["bill runs"]))
class BillRunDetailView(RetrieveAPIView[BillRun]):
    """One run: how far it is, what its bills come to, and why drafts are held."""

    queryset = BillRun.objects.all()
    permission_classes = (HasRole(Role.MANAGER, Role.ADMIN),)
    serializer_class = BillRunDetailOut
    lookup_url_kwarg = "run_id"
