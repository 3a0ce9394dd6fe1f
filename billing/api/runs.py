"""Bill runs, for managers."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.generics import ListCreateAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.permissions import HasRole, actor_of
from accounts.roles import Role
from billing.api.serializers import BillRunIn, BillRunOut
from billing.models import BillRun
from billing.services.runs import request_month


@extend_schema_view(get=extend_schema(operation_id="bill_runs_list", tags=["bill runs"]))
class BillRunListView(ListCreateAPIView[BillRun]):
    """Runs, newest month first; POST starts or continues a month's."""

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
        run = request_month(month=wanted.validated_data["month"], actor=actor_of(request), now=timezone.now())
        location = request.build_absolute_uri(f"{request.path}/{run.pk}")
        return Response(BillRunOut(run).data, status=202, headers={"Location": location})


@extend_schema_view(get=extend_schema(operation_id="bill_runs_retrieve", tags=["bill runs"]))
class BillRunDetailView(RetrieveAPIView[BillRun]):
    """One run and how far it is."""

    queryset = BillRun.objects.all()
    permission_classes = (HasRole(Role.MANAGER, Role.ADMIN),)
    serializer_class = BillRunOut
    lookup_url_kwarg = "run_id"
