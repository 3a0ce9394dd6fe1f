"""The approval queue, as data: what waits with its evidence, and what somebody decides."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, actor_of, person_of
from accounts.roles import Role
from field_ops.api.submissions import SubmissionOut
from field_ops.models import ApprovalRequest, Decision
from field_ops.selectors.approvals import decidable_by, decisions_on, may_decide, queue_for, request_for
from field_ops.services import deciding
from meters.api.fields import NumberField

MayDecide = HasRole(Role.MANAGER, Role.ADMIN)
_MOST_HISTORY = 50
_REFUSALS: dict[int, Any] = {
    403: OpenApiResponse(description="`own_submission`, `decided_before`."),
    404: OpenApiResponse(description="`no_such_request`."),
    409: OpenApiResponse(
        description="`already_decided` (with `by`, `at`, `verdict`). What the door of readings refuses keeps its code, "
        "such as `regression`, `conflict` or `not_installed`: nothing is decided then."
    ),
    422: OpenApiResponse(description="`reason_missing`, `exceeds_register`, `no_value_expected`."),
}


class DecisionOut(serializers.ModelSerializer[Decision]):
    """What one person decided at one level."""

    by = serializers.CharField(source="by.name")
    value = NumberField(allow_null=True, help_text="As the reviewer read it, where they gave one.")
    submission_id = serializers.UUIDField(source="request.submission_id")

    class Meta:
        model = Decision
        fields = ("submission_id", "level", "verdict", "by", "at", "notes", "value", "in_bulk")
        read_only_fields = fields


class ApprovalOut(serializers.ModelSerializer[ApprovalRequest]):
    """A submission before those who decide."""

    submission_id = serializers.UUIDField()
    meter_id = serializers.CharField(source="meter.serial", help_text="Serial.")
    address = serializers.CharField(source="meter.address")
    region = serializers.SerializerMethodField()
    agent = serializers.CharField(source="agent.user.name")
    outcome = serializers.CharField(source="submission.outcome")
    obstacle = serializers.CharField(source="submission.obstacle")
    value = NumberField(source="submission.value", allow_null=True, help_text="The agent's, never edited.")
    read_at = serializers.DateTimeField(source="submission.read_at")
    reviewer = serializers.SerializerMethodField()
    may_decide = serializers.SerializerMethodField(help_text="Whether the next level is the caller's to decide.")

    class Meta:
        model = ApprovalRequest
        fields: tuple[str, ...] = (
            "id",
            "submission_id",
            "meter_id",
            "address",
            "region",
            "agent",
            "outcome",
            "obstacle",
            "value",
            "read_at",
            "risk",
            "risk_reasons",
            "is_audited",
            "levels_needed",
            "levels_done",
            "status",
            "may_decide",
            "submission_notes",
            "review_notes",
            "reviewer",
            "submitted_at",
            "reviewed_at",
        )
        read_only_fields: tuple[str, ...] = fields

    def get_region(self, request: ApprovalRequest) -> str | None:
        """Return the name of the region."""
        return request.meter.region.name if request.meter.region else None

    def get_reviewer(self, request: ApprovalRequest) -> str | None:
        """Return who decided last."""
        return request.reviewer.name if request.reviewer else None

    def get_may_decide(self, request: ApprovalRequest) -> bool:
        """Tell whether the caller may decide its next level."""
        return may_decide(request, person_of(self.context["request"]))


class ApprovalDetailOut(ApprovalOut):
    """A submission with its evidence, its meter as it was, and all that was decided there."""

    submission = SubmissionOut()
    decisions = serializers.SerializerMethodField(help_text="On it, the first level first.")
    history = serializers.SerializerMethodField(help_text="On all submissions of the meter, newest first, at most 50.")

    class Meta(ApprovalOut.Meta):
        fields = (*ApprovalOut.Meta.fields, "submission", "meter_data", "evidence", "decisions", "history")
        read_only_fields = fields

    @extend_schema_field(DecisionOut(many=True))
    def get_decisions(self, request: ApprovalRequest) -> Any:
        """Return what was decided on it."""
        return DecisionOut(request.decisions.select_related("by", "request").order_by("level"), many=True).data

    @extend_schema_field(DecisionOut(many=True))
    def get_history(self, request: ApprovalRequest) -> Any:
        """Return what was decided on the meter's submissions."""
        made = decisions_on(request.meter_id, user=person_of(self.context["request"]))
        return DecisionOut(made[:_MOST_HISTORY], many=True).data


class ReviewIn(serializers.Serializer[Any]):
    """A decision; ``level`` guards against deciding another level than the one that was shown."""

    notes = serializers.CharField(max_length=deciding.LONGEST_NOTE, allow_blank=True, default="")
    level = serializers.IntegerField(min_value=1, max_value=2, allow_null=True, default=None)


class ApproveIn(ReviewIn):
    """An approval."""

    value = serializers.DecimalField(
        max_digits=15,
        decimal_places=6,
        allow_null=True,
        default=None,
        help_text="What the reviewer reads on the photo, where it differs; it stands beside the agent's.",
    )


class BulkIn(serializers.Serializer[Any]):
    """Requests of low risk."""

    ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=deciding.MOST_AT_ONCE)


class BulkRefusedOut(serializers.Serializer[Any]):
    """Why one was not approved."""

    id = serializers.UUIDField(source="request_id")
    code = serializers.CharField()
    detail = serializers.CharField()


class BulkOut(serializers.Serializer[Any]):
    """What became of them."""

    approved = serializers.ListField(child=serializers.UUIDField())
    refused = BulkRefusedOut(many=True)


class ApprovalFilter(filters.FilterSet):  # type: ignore[misc]
    """By status, risk, meter, and whether it waits, or waits for the caller."""

    meter = filters.CharFilter(field_name="meter__serial", help_text="Serial.")
    waiting = filters.BooleanFilter(method="that_wait", help_text="Whether nobody has finished it.")
    mine = filters.BooleanFilter(method="of_caller", help_text="True: only what the caller may decide.")

    class Meta:
        model = ApprovalRequest
        fields = ("status", "risk", "is_audited")

    def that_wait(self, requests: QuerySet[ApprovalRequest], name: str, value: bool) -> QuerySet[ApprovalRequest]:
        """Keep what waits, or what does not."""
        states = (ApprovalRequest.Status.PENDING, ApprovalRequest.Status.UNDER_REVIEW)
        return requests.filter(status__in=states) if value else requests.exclude(status__in=states)

    def of_caller(self, requests: QuerySet[ApprovalRequest], name: str, value: bool) -> QuerySet[ApprovalRequest]:
        """Keep what the caller may decide."""
        return decidable_by(requests, person_of(self.request)) if value else requests


@extend_schema_view(get=extend_schema(operation_id="approvals_list", tags=["field work"]))
class ApprovalListView(ListAPIView[ApprovalRequest]):
    """Submissions before those who decide, longest waiting first; a manager sees those of their regions."""

    queryset = ApprovalRequest.objects.none()
    permission_classes = (MayDecide,)
    serializer_class = ApprovalOut
    filterset_class = ApprovalFilter

    def get_queryset(self) -> QuerySet[ApprovalRequest]:
        return queue_for(person_of(self.request))


class ApprovalDetailView(APIView):
    """One of them with its evidence."""

    permission_classes = (MayDecide,)

    @extend_schema(operation_id="approvals_retrieve", tags=["field work"], responses=ApprovalDetailOut)
    def get(self, request: Request, request_id: UUID) -> Response:
        return Response(_shown(request, request_id))


class _DecisionView(APIView):
    permission_classes = (MayDecide,)
    serializer: type[ReviewIn] = ReviewIn

    def decide(self, request: Request, request_id: UUID, act: Callable[..., ApprovalRequest]) -> Response:
        """Check what was sent, do it, and answer with the request as it is now."""
        asked = self.serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        act(request_id=request_id, actor=actor_of(request), now=timezone.now(), **asked.validated_data)
        return Response(_shown(request, request_id))


class ApprovalApproveView(_DecisionView):
    """It is so."""

    serializer = ApproveIn

    @extend_schema(
        operation_id="approvals_approve",
        tags=["field work"],
        request=ApproveIn,
        responses={200: ApprovalDetailOut, **_REFUSALS},
        description="Approves the next level. At the last one the value enters as a verified reading, in the same "
        "transaction, and the assignment is completed.",
    )
    def post(self, request: Request, request_id: UUID) -> Response:
        return self.decide(request, request_id, deciding.approve)


class ApprovalRejectView(_DecisionView):
    """It is not so."""

    @extend_schema(
        operation_id="approvals_reject",
        tags=["field work"],
        request=ReviewIn,
        responses={200: ApprovalDetailOut, **_REFUSALS},
        description="Nothing enters, and the assignment is cancelled with the notes, which are needed.",
    )
    def post(self, request: Request, request_id: UUID) -> Response:
        return self.decide(request, request_id, deciding.reject)


class ApprovalReturnView(_DecisionView):
    """Once more, please."""

    @extend_schema(
        operation_id="approvals_return",
        tags=["field work"],
        request=ReviewIn,
        responses={200: ApprovalDetailOut, **_REFUSALS},
        description="The agent hears from the notes, which are needed, what to mend.",
    )
    def post(self, request: Request, request_id: UUID) -> Response:
        return self.decide(request, request_id, deciding.send_back)


class ApprovalBulkView(APIView):
    """Several of low risk."""

    permission_classes = (MayDecide,)

    @extend_schema(
        operation_id="approvals_bulk_approve",
        tags=["field work"],
        request=BulkIn,
        responses={200: BulkOut},
        description="Each is decided by itself. Left out are those of high risk (`not_low_risk`), those that chance "
        "chose for a look one by one (`chosen_for_audit`), and what could not be approved alone.",
    )
    def post(self, request: Request) -> Response:
        asked = BulkIn(data=request.data)
        asked.is_valid(raise_exception=True)
        done = deciding.approve_low_risk(
            request_ids=asked.validated_data["ids"], actor=actor_of(request), now=timezone.now()
        )
        return Response(BulkOut(done).data)


def _shown(request: Request, request_id: UUID) -> Any:
    found = request_for(request_id=request_id, user=person_of(request))
    return ApprovalDetailOut(found, context={"request": request}).data
