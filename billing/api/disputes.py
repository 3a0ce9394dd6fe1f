"""Disputes of bills: opened and withdrawn by customers, decided by managers."""

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
from accounts.api.permissions import HasRole, IsPerson, MayQuery, actor_of, asking_person, person_of
from accounts.roles import Role
from billing.api.serializers import MonthField
from billing.models import Bill, Dispute, DisputeStep
from billing.selectors.corrections import dispute_for, disputes_visible_to
from billing.services import disputes

_REFUSED = OpenApiResponse(description="It is closed, open already, or not of a bill that is owed as it stands.")


class DisputeStepOut(serializers.ModelSerializer[DisputeStep]):
    """A step: when, to which status, and in whose words. Who took it is told to staff on the admin's page."""

    class Meta:
        model = DisputeStep
        fields = ("status", "at", "text")
        read_only_fields = fields


class DisputeOut(serializers.ModelSerializer[Dispute]):
    """A dispute and its steps."""

    account_id = serializers.CharField(source="bill.account.number")
    bill_number = serializers.CharField(source="bill.number")
    month = MonthField(source="bill.month")
    line_position = serializers.IntegerField(source="line.position", default=None, allow_null=True)
    steps = DisputeStepOut(many=True)

    class Meta:
        model = Dispute
        fields: tuple[str, ...] = (
            "id",
            "account_id",
            "bill_id",
            "bill_number",
            "month",
            "line_position",
            "reason",
            "text",
            "status",
            "answer",
            "correction_id",
            "opened_at",
            "closed_at",
            "steps",
        )
        read_only_fields = fields


class DisputeDetailOut(DisputeOut):
    """A dispute with what the bill rested on."""

    evidence = serializers.DictField()

    class Meta(DisputeOut.Meta):
        fields = (*DisputeOut.Meta.fields, "evidence")
        read_only_fields = fields


class DisputeIn(serializers.Serializer[Any]):
    """Which bill, and what is wrong with it."""

    bill_id = serializers.UUIDField()
    reason = serializers.ChoiceField(choices=Dispute.Reason.choices)
    text = serializers.CharField(max_length=disputes.LONGEST_TEXT)
    line_position = serializers.IntegerField(required=False, min_value=1)


class AnswerIn(serializers.Serializer[Any]):
    """What the customer reads."""

    answer = serializers.CharField(max_length=disputes.LONGEST_TEXT)


class DisputeFilter(filters.FilterSet):  # type: ignore[misc]
    """By account number, bill number, status and reason."""

    account_id = filters.CharFilter(field_name="bill__account__number")
    bill_number = filters.CharFilter(field_name="bill__number")
    status = filters.ChoiceFilter(choices=Dispute.Status.choices)
    reason = filters.ChoiceFilter(choices=Dispute.Reason.choices)


@extend_schema_view(get=extend_schema(operation_id="disputes_list", tags=["disputes"]))
class DisputeListView(IdempotentCreate, ListAPIView[Dispute]):
    """The disputes that the caller may see, newest first; POST opens one."""

    queryset = Dispute.objects.none()
    serializer_class = DisputeOut
    filterset_class = DisputeFilter

    def get_permissions(self) -> list[Any]:
        return [IsPerson()] if self.request.method == "POST" else [MayQuery()]

    def get_queryset(self) -> QuerySet[Dispute]:
        return disputes_visible_to(asking_person(self.request))

    @extend_schema(
        operation_id="disputes_open",
        tags=["disputes"],
        parameters=[IDEMPOTENCY_KEY],
        request=DisputeIn,
        responses={201: DisputeDetailOut, 409: _REFUSED},
        description="For those who act for the account; one open dispute a bill, and a few a day.",
    )
    def post(self, request: Request) -> Response:
        asked = DisputeIn(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            made = disputes.open_dispute(user=person_of(request), now=timezone.now(), **asked.validated_data)
        except Bill.DoesNotExist as error:
            raise Http404 from error
        location = request.build_absolute_uri(f"{request.path}/{made.pk}")
        return Response(_out(request, made.pk), status=201, headers={"Location": location})


class DisputeDetailView(APIView):
    """One dispute with its evidence."""

    permission_classes = (MayQuery,)

    @extend_schema(operation_id="disputes_retrieve", tags=["disputes"], responses=DisputeDetailOut)
    def get(self, request: Request, dispute_id: UUID) -> Response:
        return Response(_out(request, dispute_id))


class DisputeWithdrawView(IdempotentCreate):
    """The customer takes it back."""

    permission_classes = (IsPerson,)

    @extend_schema(
        operation_id="disputes_withdraw",
        tags=["disputes"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: DisputeDetailOut, 409: _REFUSED},
    )
    def post(self, request: Request, dispute_id: UUID) -> Response:
        _out(request, dispute_id)
        disputes.withdraw_dispute(dispute_id=dispute_id, user=person_of(request), now=timezone.now())
        return Response(_out(request, dispute_id))


class _AnswerView(IdempotentCreate):
    permission_classes = (HasRole(Role.MANAGER, Role.ADMIN),)

    def answer(self, request: Request, dispute_id: UUID, service: Callable[..., Any]) -> Response:
        """Check the answer, act, and answer with the dispute as it is now."""
        asked = AnswerIn(data=request.data)
        asked.is_valid(raise_exception=True)
        _out(request, dispute_id)
        service(dispute_id=dispute_id, actor=actor_of(request), now=timezone.now(), **asked.validated_data)
        return Response(_out(request, dispute_id))


_answers = extend_schema(
    tags=["disputes"],
    parameters=[IDEMPOTENCY_KEY],
    request=AnswerIn,
    responses={200: DisputeDetailOut, 409: _REFUSED},
)


class DisputeReadingsView(_AnswerView):
    """Readings are to be taken or corrected."""

    @_answers
    @extend_schema(operation_id="disputes_ask_for_readings")
    def post(self, request: Request, dispute_id: UUID) -> Response:
        return self.answer(request, dispute_id, disputes.ask_for_readings)


class DisputeCorrectView(_AnswerView):
    """Rate the bill anew and propose to correct it."""

    @_answers
    @extend_schema(operation_id="disputes_correct")
    def post(self, request: Request, dispute_id: UUID) -> Response:
        return self.answer(request, dispute_id, disputes.correct_disputed)


class DisputeRejectView(_AnswerView):
    """The bill stands."""

    @_answers
    @extend_schema(operation_id="disputes_reject")
    def post(self, request: Request, dispute_id: UUID) -> Response:
        return self.answer(request, dispute_id, disputes.reject_dispute)


def _out(request: Request, dispute_id: UUID) -> Any:
    try:
        found = dispute_for(user=asking_person(request), dispute_id=dispute_id)
    except Dispute.DoesNotExist as error:
        raise Http404 from error
    return DisputeDetailOut(found).data
