"""What agents bring, as data: sent once under an id of their own, and followed until it is decided."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, person_of
from accounts.roles import Role
from field_ops.models import ApprovalRequest, Submission
from field_ops.selectors.submissions import submission_for, submissions_for
from field_ops.services.submissions import LONGEST_NOTE, LONGEST_SERIAL, Draft, submit
from meters.api.fields import NumberField

_REFUSALS: dict[int, Any] = {
    403: OpenApiResponse(description="`not_an_agent`."),
    404: OpenApiResponse(description="`no_such_assignment`."),
    409: OpenApiResponse(
        description="`submission_differs`: another body came under this id. `assignment_closed`, `in_review_already` "
        "(with `submission`), `follows_another`."
    ),
    422: OpenApiResponse(
        description="`value_missing`, `obstacle_missing`, `in_future`, `too_old`, `unknown_register`, "
        "`exceeds_register`, `negative`, `too_many_decimals`, `bad_position`."
    ),
}


class SubmissionIn(serializers.Serializer[Any]):
    """What was read at a meter, or why it could not be."""

    id = serializers.UUIDField(help_text="Made by the device: what is sent again under it arrives once.")
    assignment_id = serializers.UUIDField()
    outcome = serializers.ChoiceField(choices=Submission.Outcome.choices)
    obstacle = serializers.ChoiceField(choices=Submission.Obstacle.choices, allow_blank=True, default="")
    value = serializers.DecimalField(
        max_digits=15, decimal_places=6, allow_null=True, default=None, help_text="As the register shows it."
    )
    register_code = serializers.CharField(
        max_length=20, allow_blank=True, default="", help_text="OBIS; empty: the meter's only dial, or 1.8.0."
    )
    serial_given = serializers.CharField(max_length=LONGEST_SERIAL, allow_blank=True, default="")
    serial_scanned = serializers.BooleanField(default=False)
    read_at = serializers.DateTimeField(help_text="By the device's clock.")
    latitude = serializers.FloatField(allow_null=True, default=None, help_text="Degrees, WGS84.")
    longitude = serializers.FloatField(allow_null=True, default=None, help_text="Degrees, WGS84.")
    accuracy_m = serializers.FloatField(allow_null=True, default=None)
    notes = serializers.CharField(max_length=LONGEST_NOTE, allow_blank=True, default="")
    expects_photo = serializers.BooleanField(default=True, help_text="Review begins when the photo is whole.")
    follows = serializers.UUIDField(allow_null=True, default=None, help_text="The one that was sent back.")


class SubmissionOut(serializers.ModelSerializer[Submission]):
    """What was brought from a meter, and what became of it."""

    assignment_id = serializers.UUIDField()
    meter_id = serializers.CharField(source="meter.serial", help_text="Serial.")
    agent = serializers.CharField(source="agent.user.name")
    register_code = serializers.SerializerMethodField()
    unit = serializers.SerializerMethodField()
    value = NumberField(allow_null=True)
    follows = serializers.UUIDField(source="follows_id", allow_null=True)
    has_photo = serializers.SerializerMethodField()
    review_notes = serializers.SerializerMethodField(help_text="Why it was decided so, and what to mend.")
    reviewed_at = serializers.SerializerMethodField()

    class Meta:
        model = Submission
        fields = (
            "id",
            "assignment_id",
            "meter_id",
            "agent",
            "register_code",
            "unit",
            "follows",
            "outcome",
            "obstacle",
            "value",
            "serial_given",
            "serial_scanned",
            "read_at",
            "received_at",
            "latitude",
            "longitude",
            "accuracy_m",
            "notes",
            "expects_photo",
            "has_photo",
            "status",
            "verified",
            "review_notes",
            "reviewed_at",
        )
        read_only_fields = fields

    def get_register_code(self, submission: Submission) -> str | None:
        """Return the code of the register that was read."""
        return submission.register.code if submission.register else None

    def get_unit(self, submission: Submission) -> str | None:
        """Return what the register counts."""
        return submission.register.unit if submission.register else None

    def get_has_photo(self, submission: Submission) -> bool:
        """Tell whether its photo is whole."""
        return getattr(submission, "photo", None) is not None

    def get_review_notes(self, submission: Submission) -> str:
        """Return why it was decided so, once it is decided."""
        decided = _decided(submission)
        return decided.review_notes if decided else ""

    @extend_schema_field({"type": ["string", "null"], "format": "date-time"})
    def get_reviewed_at(self, submission: Submission) -> str | None:
        """Return when it was decided."""
        decided = _decided(submission)
        return decided.reviewed_at.isoformat() if decided and decided.reviewed_at else None


def _decided(submission: Submission) -> ApprovalRequest | None:
    """Return the request once all of it is decided: a first of two levels is not for the agent to know of."""
    if submission.status in (Submission.Status.RECEIVING, Submission.Status.IN_REVIEW):
        return None
    request: ApprovalRequest | None = getattr(submission, "approval", None)
    return request


class SubmissionFilter(filters.FilterSet):  # type: ignore[misc]
    """By status, assignment and meter."""

    meter = filters.CharFilter(field_name="meter__serial", help_text="Serial.")
    assignment = filters.UUIDFilter(field_name="assignment_id")

    class Meta:
        model = Submission
        fields = ("status", "outcome")


@extend_schema_view(get=extend_schema(operation_id="submissions_list", tags=["field work"]))
class SubmissionListView(ListAPIView[Submission]):
    """Submissions, newest first: agents see their own, managers those of their regions."""

    queryset = Submission.objects.none()
    serializer_class = SubmissionOut
    filterset_class = SubmissionFilter

    def get_permissions(self) -> list[Any]:
        """Let agents send, and those who manage them look."""
        senders = (Role.AGENT,)
        readers = (Role.AGENT, Role.MANAGER, Role.ADMIN)
        return [HasRole(*(readers if self.request.method in SAFE_METHODS else senders))()]

    def get_queryset(self) -> QuerySet[Submission]:
        return submissions_for(person_of(self.request))

    @extend_schema(
        operation_id="submissions_create",
        tags=["field work"],
        request=SubmissionIn,
        responses={
            201: OpenApiResponse(SubmissionOut, description="It arrived."),
            200: OpenApiResponse(SubmissionOut, description="It had arrived before."),
            **_REFUSALS,
        },
        description="An agent's own assignments only. Its id makes it arrive once, so that no Idempotency-Key is "
        "needed. What the register can show is taken, however unlikely: others decide on it.",
        examples=[
            OpenApiExample(
                "a value",
                request_only=True,
                value={
                    "id": "5b1f6f2e-5f0a-4a57-9a5c-0d5f2f1f8d11",
                    "assignment_id": "0d9f7c3a-3c43-4d3c-8a53-6b3a2f6f4f10",
                    "outcome": "read",
                    "value": "1234.5",
                    "serial_given": "SG-000123",
                    "serial_scanned": True,
                    "read_at": "2025-03-10T10:17:05+08:00",
                    "latitude": 1.30012,
                    "longitude": 103.80034,
                    "accuracy_m": 8.0,
                    "expects_photo": True,
                },
            )
        ],
    )
    def post(self, request: Request) -> Response:
        sent = SubmissionIn(data=request.data)
        sent.is_valid(raise_exception=True)
        now = timezone.now()
        user = person_of(request)
        submission = submit(draft=Draft(**sent.validated_data), user=user, now=now)
        # What came before has its first arrival's time.
        status = 201 if submission.received_at == now else 200
        shown = submission_for(submission_id=submission.pk, user=user)
        return Response(SubmissionOut(shown).data, status=status)


class SubmissionDetailView(APIView):
    """One submission and how it stands."""

    permission_classes = (HasRole(Role.AGENT, Role.MANAGER, Role.ADMIN),)

    @extend_schema(operation_id="submissions_retrieve", tags=["field work"], responses=SubmissionOut)
    def get(self, request: Request, submission_id: UUID) -> Response:
        found = submission_for(submission_id=submission_id, user=person_of(request))
        return Response(SubmissionOut(found).data)
