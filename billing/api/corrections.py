"""Corrections of issued bills: listed for whom they concern, decided by managers."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import HasRole, MayQuery, actor_of, asking_person, person_of
from accounts.roles import Role
from billing.api.serializers import EnergyField, MoneyField, MonthField
from billing.models import Correction
from billing.selectors.corrections import correction_for, corrections_visible_to
from billing.services.corrections import approve_correction, reject_correction

_REFUSED = OpenApiResponse(description="It is decided already, changed since it was looked at, or held.")


class BillCorrectionOut(serializers.ModelSerializer[Correction]):
    """A proposal to correct an issued bill, and what became of it."""

    account_id = serializers.CharField(source="original.account.number")
    month = MonthField(source="original.month")
    bill_id = serializers.UUIDField(source="original_id")
    bill_number = serializers.CharField(source="original.number")
    credit_note_number = serializers.CharField(source="credit_note.number", default=None, allow_null=True)
    replacement_number = serializers.CharField(source="replacement.number", default=None, allow_null=True)
    currency = serializers.CharField(source="original.currency")
    old_total = MoneyField()
    new_total = MoneyField(allow_null=True)
    difference = MoneyField(allow_null=True, help_text="New less old; null while the new bill is held.")
    old_kwh = EnergyField()
    new_kwh = EnergyField(allow_null=True)

    class Meta:
        model = Correction
        fields: tuple[str, ...] = (
            "id",
            "account_id",
            "month",
            "bill_id",
            "bill_number",
            "status",
            "cause",
            "reason",
            "currency",
            "old_total",
            "new_total",
            "difference",
            "old_kwh",
            "new_kwh",
            "credit_note_id",
            "credit_note_number",
            "replacement_id",
            "replacement_number",
            "revision",
            "proposed_at",
            "drafted_at",
            "decided_at",
        )
        read_only_fields = fields


class SideOut(serializers.Serializer[Any]):
    """A line of one of the two bills."""

    quantity = serializers.CharField()
    unit = serializers.CharField()
    rate = serializers.CharField()
    amount = serializers.CharField()


class ComparedLineOut(serializers.Serializer[Any]):
    """A line as it was and as it is proposed; null where it is on one bill only."""

    what = serializers.CharField()
    old = SideOut(allow_null=True)
    new = SideOut(allow_null=True)
    difference = serializers.CharField()


class BillCorrectionDetailOut(BillCorrectionOut):
    """A correction with its evidence and both bills line by line."""

    comparison = ComparedLineOut(many=True)
    evidence = serializers.ListField(child=serializers.DictField())

    class Meta(BillCorrectionOut.Meta):
        fields = (*BillCorrectionOut.Meta.fields, "comparison", "evidence")
        read_only_fields = fields


class ApproveCorrectionIn(serializers.Serializer[Any]):
    """Which revision was looked at."""

    revision = serializers.IntegerField(min_value=1)
    note = serializers.CharField(required=False, max_length=1000, allow_blank=True)


class RejectCorrectionIn(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=1000)


class CorrectionFilter(filters.FilterSet):  # type: ignore[misc]
    """By account number, bill number, status and cause."""

    account_id = filters.CharFilter(field_name="original__account__number")
    bill_number = filters.CharFilter(field_name="original__number")
    status = filters.ChoiceFilter(choices=Correction.Status.choices)
    cause = filters.ChoiceFilter(choices=Correction.Cause.choices)


@extend_schema_view(get=extend_schema(operation_id="corrections_list", tags=["corrections"]))
class CorrectionListView(ListAPIView[Correction]):
    """The corrections that the caller may see, newest first: customers see those that were made."""

    queryset = Correction.objects.none()
    permission_classes = (MayQuery,)
    serializer_class = BillCorrectionOut
    filterset_class = CorrectionFilter

    def get_queryset(self) -> QuerySet[Correction]:
        return corrections_visible_to(asking_person(self.request))


class CorrectionDetailView(APIView):
    """One correction with its evidence."""

    permission_classes = (MayQuery,)

    @extend_schema(operation_id="corrections_retrieve", tags=["corrections"], responses=BillCorrectionDetailOut)
    def get(self, request: Request, correction_id: UUID) -> Response:
        return _answer(request, correction_id)


class _DecideView(IdempotentCreate):
    permission_classes = (HasRole(Role.MANAGER, Role.ADMIN),)

    def decide(
        self, request: Request, correction_id: UUID, asked: serializers.Serializer[Any], service: Callable[..., Any]
    ) -> Response:
        """Check what was sent, decide, and answer with the correction as it is now."""
        asked.is_valid(raise_exception=True)
        person_of(request)
        _answer(request, correction_id)
        service(correction_id=correction_id, actor=actor_of(request), now=timezone.now(), **asked.validated_data)
        return _answer(request, correction_id)


class CorrectionApproveView(_DecideView):
    """Issue the credit note and the new bill."""

    @extend_schema(
        operation_id="corrections_approve",
        tags=["corrections"],
        parameters=[IDEMPOTENCY_KEY],
        request=ApproveCorrectionIn,
        responses={200: BillCorrectionDetailOut, 409: _REFUSED},
    )
    def post(self, request: Request, correction_id: UUID) -> Response:
        return self.decide(request, correction_id, ApproveCorrectionIn(data=request.data), approve_correction)


class CorrectionRejectView(_DecideView):
    """Let the issued bill stand."""

    @extend_schema(
        operation_id="corrections_reject",
        tags=["corrections"],
        parameters=[IDEMPOTENCY_KEY],
        request=RejectCorrectionIn,
        responses={200: BillCorrectionDetailOut, 409: _REFUSED},
    )
    def post(self, request: Request, correction_id: UUID) -> Response:
        return self.decide(request, correction_id, RejectCorrectionIn(data=request.data), reject_correction)


def _answer(request: Request, correction_id: UUID) -> Response:
    try:
        found = correction_for(user=asking_person(request), correction_id=correction_id)
    except Correction.DoesNotExist as error:
        raise Http404 from error
    return Response(BillCorrectionDetailOut(found).data)
