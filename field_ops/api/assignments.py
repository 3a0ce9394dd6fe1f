"""Field work as data: who is to read which meter, by when, and what became of it."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import HasRole, actor_of, person_of
from accounts.roles import Role
from energy_portal.shared.errors import Conflict
from field_ops.models import Assignment, AssignmentStep
from field_ops.selectors.assignments import assignment_for, assignments_for, meters_by_serial
from field_ops.services import assignments
from field_ops.services.assignments import Changed
from field_ops.services.handing import Made
from meters.models import Meter
from meters.models.places import Commodity

MOST_AT_ONCE = 1_000
LONGEST_REASON = 1_000

MaySee = HasRole(Role.AGENT, Role.MANAGER, Role.ADMIN)
MayGiveOut = HasRole(Role.MANAGER, Role.ADMIN)
_UNKNOWN: dict[int, Any] = {404: OpenApiResponse(description="`no_such_assignment`.")}
REFUSALS: dict[int, Any] = {
    404: OpenApiResponse(description="`no_such_assignment`, `no_such_agent`."),
    409: OpenApiResponse(
        description="`assignment_cannot_move`, `assignment_in_review`, `same_agent`, `agent_not_active`; `agent_full` "
        "(with `agent`, its `load` and `max_load`)."
    ),
    422: OpenApiResponse(description="`reason_missing`, `due_in_the_past`."),
}


class RegisterToReadOut(serializers.Serializer[Any]):
    """A register as it is read by hand."""

    code = serializers.CharField()
    unit = serializers.CharField()
    digits = serializers.IntegerField()
    decimals = serializers.IntegerField()


class MeterToReadOut(serializers.ModelSerializer[Meter]):
    """A meter as whoever is to read it has to know it."""

    meter_id = serializers.CharField(source="serial", help_text="Serial.")
    type = serializers.ChoiceField(choices=Commodity.choices)
    region = serializers.CharField(source="region.name", default=None, allow_null=True)
    registers = RegisterToReadOut(many=True)

    class Meta:
        model = Meter
        fields = ("meter_id", "type", "address", "location_id", "latitude", "longitude", "region", "registers")
        read_only_fields = fields


class AssignmentOut(serializers.ModelSerializer[Assignment]):
    """A meter that is to be read by somebody, or by somebody yet to be found."""

    meter = MeterToReadOut()
    agent_id = serializers.UUIDField(allow_null=True)
    agent = serializers.CharField(source="agent.user.name", default=None, allow_null=True)
    assigned_by = serializers.CharField(source="assigned_by.name", default=None, allow_null=True)

    class Meta:
        model = Assignment
        fields = (
            "id",
            "meter",
            "agent_id",
            "agent",
            "status",
            "is_in_review",
            "origin",
            "priority",
            "sequence",
            "estimated_time",
            "due_at",
            "assigned_at",
            "assigned_by",
            "started_at",
            "completed_at",
            "completion_notes",
            "closing_reason",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class StepOut(serializers.ModelSerializer[AssignmentStep]):
    """What became of it, by whom, when and why; ``agent`` is who has it since."""

    agent = serializers.CharField(source="agent.user.name", default=None, allow_null=True)
    by = serializers.CharField(source="by.name", default=None, allow_null=True, help_text="Null for the portal.")

    class Meta:
        model = AssignmentStep
        fields = ("act", "agent", "by", "at", "reason")
        read_only_fields = fields


class AssignmentDetailOut(AssignmentOut):
    """An assignment with all its steps, the first one first."""

    steps = StepOut(many=True)

    class Meta:
        model = Assignment
        fields = (*AssignmentOut.Meta.fields, "steps")
        read_only_fields = fields


class AssignmentIn(serializers.Serializer[Any]):
    """Meters for an agent, in the order of their way."""

    meters = serializers.ListField(child=serializers.CharField(max_length=64), min_length=1, max_length=MOST_AT_ONCE)
    agent_id = serializers.UUIDField(allow_null=True, default=None, help_text="Null: for somebody yet to be found.")
    due_at = serializers.DateTimeField(allow_null=True, default=None, help_text="Null: after the usual days.")
    priority = serializers.ChoiceField(
        choices=Meter.Priority.choices, allow_null=True, default=None, help_text="Null: the meter's own."
    )
    beyond_max_load = serializers.BooleanField(default=False, help_text="Even if it is more than they can take.")


class SkippedOut(serializers.Serializer[Any]):
    """A meter that was not given out, and why."""

    meter_id = serializers.CharField(help_text="Serial.")
    agent_id = serializers.UUIDField(allow_null=True)
    code = serializers.CharField()
    detail = serializers.CharField()


class MadeOut(serializers.Serializer[Any]):
    """What became of meters that were to be given out."""

    made = AssignmentOut(many=True)
    skipped = SkippedOut(many=True)


class ReasonIn(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=LONGEST_REASON)


class ReassignIn(ReasonIn):
    """To whom, and why."""

    agent_id = serializers.UUIDField(allow_null=True, help_text="Null: take it back until somebody is found.")
    beyond_max_load = serializers.BooleanField(default=False)


class AssignmentFilter(filters.FilterSet):  # type: ignore[misc]
    """By status, agent, region, due date and origin."""

    agent = filters.UUIDFilter(field_name="agent_id")
    unassigned = filters.BooleanFilter(field_name="agent", lookup_expr="isnull", help_text="Waits for an agent.")
    region = filters.UUIDFilter(field_name="meter__region")
    meter = filters.CharFilter(field_name="meter__serial", help_text="Serial.")
    open = filters.BooleanFilter(method="filter_open", help_text="Whether it is still to be done.")
    overdue = filters.BooleanFilter(method="filter_overdue", help_text="Whether it is past its due date.")
    due_before = filters.IsoDateTimeFilter(field_name="due_at", lookup_expr="lt")

    class Meta:
        model = Assignment
        fields = ("status", "origin", "priority", "is_in_review")

    def filter_open(self, rows: QuerySet[Assignment], name: str, value: bool) -> QuerySet[Assignment]:
        """Keep what is to be done, or what is closed."""
        chosen = Assignment.objects.open()
        return rows.filter(pk__in=chosen.values("pk")) if value else rows.exclude(pk__in=chosen.values("pk"))

    def filter_overdue(self, rows: QuerySet[Assignment], name: str, value: bool) -> QuerySet[Assignment]:
        """Keep what the clock has overtaken, or the rest."""
        late = {"status": Assignment.Status.OVERDUE}
        return rows.filter(**late) if value else rows.exclude(**late)


def made_of(made: Made, serials: Mapping[UUID, str], unknown: Iterable[str]) -> dict[str, Any]:
    """Return what became of meters as the API answers it.

    :param serials: of the meters that were found.
    :param unknown: serials of none.
    """
    skipped = [
        {"meter_id": serials[each.meter_id], "agent_id": each.agent_id, "code": each.code, "detail": each.detail}
        for each in made.skipped
    ]
    skipped += [
        {"meter_id": serial, "agent_id": None, "code": "no_such_meter", "detail": "There is no such meter."}
        for serial in unknown
    ]
    keys = [each.pk for each in made.made]
    rows = Assignment.objects.filter(pk__in=keys).select_related("meter__region", "agent__user", "assigned_by")
    found = rows.prefetch_related("meter__registers").in_bulk()
    return {"made": AssignmentOut([found[key] for key in keys], many=True).data, "skipped": skipped}


@extend_schema_view(get=extend_schema(operation_id="assignments_list", tags=["field work"]))
class AssignmentListView(ListAPIView[Assignment], IdempotentCreate):
    """Assignments, newest first: agents see their own, managers those of their regions."""

    queryset = Assignment.objects.none()
    serializer_class = AssignmentOut
    filterset_class = AssignmentFilter

    def get_permissions(self) -> list[Any]:
        return [(MayGiveOut if self.request.method == "POST" else MaySee)()]

    def get_queryset(self) -> QuerySet[Assignment]:
        return assignments_for(person_of(self.request)).order_by("-created_at", "-id")

    @extend_schema(
        operation_id="assignments_create",
        tags=["field work"],
        parameters=[IDEMPOTENCY_KEY],
        request=AssignmentIn,
        responses={201: MadeOut, 403: OpenApiResponse(description="`missing_role`."), **REFUSALS},
        description="Each meter has one open assignment at most: one that has it already is skipped, and one that "
        "waits for an agent is given to this one. Nothing is given out where the agent has no room for all.",
        examples=[
            OpenApiExample(
                "two meters",
                request_only=True,
                value={"meters": ["SG-000123", "SG-000124"], "agent_id": "8d4f3f0e-3a55-4a7e-9b0d-2f0c5f1d7a11"},
            )
        ],
    )
    def post(self, request: Request) -> Response:
        asked = AssignmentIn(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        meters, unknown = meters_by_serial(serials=wanted["meters"], user=person_of(request))
        made = assignments.assign(
            meter_ids=list(meters),
            agent_id=wanted["agent_id"],
            due_at=wanted["due_at"],
            actor=actor_of(request),
            now=timezone.now(),
            priorities=dict.fromkeys(meters, wanted["priority"]) if wanted["priority"] else None,
            beyond_max_load=wanted["beyond_max_load"],
        )
        return Response(made_of(made, meters, unknown), status=status.HTTP_201_CREATED)


class AssignmentDetailView(APIView):
    """One assignment."""

    permission_classes = (MaySee,)

    @extend_schema(
        operation_id="assignments_retrieve", tags=["field work"], responses={200: AssignmentDetailOut, **_UNKNOWN}
    )
    def get(self, request: Request, assignment_id: UUID) -> Response:
        return _answer(request, assignment_id)


class AssignmentStartView(IdempotentCreate):
    """Its agent is at it."""

    permission_classes = (HasRole(Role.AGENT),)

    @extend_schema(
        operation_id="assignments_start",
        tags=["field work"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: AssignmentDetailOut, **_UNKNOWN, 409: OpenApiResponse(description="`assignment_cannot_move`.")},
        description="Said again it changes nothing.",
    )
    def post(self, request: Request, assignment_id: UUID) -> Response:
        assignments.start(assignment_id=assignment_id, actor=actor_of(request), now=timezone.now())
        return _answer(request, assignment_id)


class AssignmentCancelView(IdempotentCreate):
    """Nobody is to read it any more."""

    permission_classes = (MayGiveOut,)

    @extend_schema(
        operation_id="assignments_cancel",
        tags=["field work"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReasonIn,
        responses={200: AssignmentDetailOut, **REFUSALS},
        examples=[OpenApiExample("closed street", request_only=True, value={"reason": "The street is closed."})],
    )
    def post(self, request: Request, assignment_id: UUID) -> Response:
        asked = ReasonIn(data=request.data)
        asked.is_valid(raise_exception=True)
        assignment_for(assignment_id=assignment_id, user=person_of(request))
        _require_changed(
            assignments.cancel(
                assignment_ids=[assignment_id], actor=actor_of(request), now=timezone.now(), **asked.validated_data
            )
        )
        return _answer(request, assignment_id)


class AssignmentReassignView(IdempotentCreate):
    """Somebody else is to read it."""

    permission_classes = (MayGiveOut,)

    @extend_schema(
        operation_id="assignments_reassign",
        tags=["field work"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReassignIn,
        responses={200: AssignmentDetailOut, **REFUSALS},
        examples=[OpenApiExample("taken back", request_only=True, value={"agent_id": None, "reason": "On leave."})],
    )
    def post(self, request: Request, assignment_id: UUID) -> Response:
        asked = ReassignIn(data=request.data)
        asked.is_valid(raise_exception=True)
        assignment_for(assignment_id=assignment_id, user=person_of(request))
        _require_changed(
            assignments.reassign(
                assignment_ids=[assignment_id], actor=actor_of(request), now=timezone.now(), **asked.validated_data
            )
        )
        return _answer(request, assignment_id)


def _require_changed(changed: Changed) -> None:
    for refused in changed.refused:
        raise Conflict(refused.detail, code=refused.code)


def _answer(request: Request, assignment_id: UUID) -> Response:
    return Response(AssignmentDetailOut(assignment_for(assignment_id=assignment_id, user=person_of(request))).data)
