"""Validation rules as managers tune them, and rehearsals of what they would catch."""

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
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import HasRole, actor_of
from accounts.roles import Role
from meters.models import Rehearsal, RuleCode, Severity, ValidationRule
from meters.models.places import Commodity
from meters.rules import DEFAULTS
from meters.selectors.rules import changes_of, rehearsal_of, rule_of
from meters.services.rehearsals import MOST_DAYS, rehearse
from meters.services.rules import add_rule, change_rule, remove_rule

MayTune = HasRole(Role.MANAGER, Role.ADMIN)
_NUMBERS = {"type": "object", "additionalProperties": {"type": "number"}}
_KNOWN = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "unit": {"type": "string"},
            "help": {"type": "string"},
            "default": {"type": "number"},
            "least": {"type": "number"},
            "most": {"type": "number"},
        },
    },
}
_FOUND = {
    "type": "object",
    "description": "Empty until it has run.",
    "properties": {
        "checked": {"type": "integer", "description": "Half-hours that are known."},
        "caught": {"type": "integer"},
        "caught_now": {"type": "integer", "description": "By the rule as it is today."},
        "added": {"type": "integer"},
        "dropped": {"type": "integer"},
        "examples": {"type": "array", "items": {"type": "object"}},
    },
}
_WRONG: dict[int, Any] = {422: OpenApiResponse(description="`wrong_rule`, with an error a field.")}


@extend_schema_field(_NUMBERS)
class ThresholdsField(serializers.DictField):
    """Numbers by the names that the rule knows; which of them may be is the service's to say."""

    child = serializers.FloatField()


@extend_schema_field(_FOUND)
class FoundField(serializers.JSONField):
    """What a rehearsal found."""


class RuleOut(serializers.ModelSerializer[ValidationRule]):
    """A rule in a scope; empty stands for all."""

    thresholds = ThresholdsField()
    about = serializers.SerializerMethodField()
    severities = serializers.SerializerMethodField(help_text="Which it may have.")
    known_thresholds = serializers.SerializerMethodField()

    class Meta:
        model = ValidationRule
        fields = (
            "id",
            "code",
            "about",
            "commodity",
            "service_class",
            "severity",
            "severities",
            "thresholds",
            "known_thresholds",
            "enabled",
            "updated_at",
        )
        read_only_fields = fields

    def get_about(self, rule: ValidationRule) -> str:
        """Return what the rule is for."""
        return DEFAULTS[rule.code].about

    def get_severities(self, rule: ValidationRule) -> list[str]:
        """Return the severities that make sense for it."""
        return list(DEFAULTS[rule.code].severities)

    @extend_schema_field(_KNOWN)
    def get_known_thresholds(self, rule: ValidationRule) -> list[dict[str, Any]]:
        """Return the thresholds that it knows, with their units and bounds."""
        return [
            {
                "name": name,
                "unit": each.unit,
                "help": each.help,
                "default": each.default,
                "least": each.least,
                "most": each.most,
            }
            for name, each in DEFAULTS[rule.code].thresholds.items()
        ]


class RuleChangeOut(serializers.Serializer[Any]):
    """How a rule read from an instant on, and who made it so."""

    at = serializers.DateTimeField(source="history_date")
    by = serializers.EmailField(source="history_user.email", default=None, allow_null=True)
    severity = serializers.CharField()
    thresholds = ThresholdsField()
    enabled = serializers.BooleanField()


class RuleDetailOut(RuleOut):
    """A rule with its history, newest first."""

    history = serializers.SerializerMethodField()

    class Meta:
        model = ValidationRule
        fields = (*RuleOut.Meta.fields, "history")
        read_only_fields = fields

    @extend_schema_field(RuleChangeOut(many=True))
    def get_history(self, rule: ValidationRule) -> Any:
        """Return its changes."""
        return RuleChangeOut(changes_of(rule), many=True).data


class RuleChangeIn(serializers.Serializer[Any]):
    """What is to change; a threshold that is not named stays."""

    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    thresholds = ThresholdsField(required=False)
    enabled = serializers.BooleanField(required=False)


class RuleIn(serializers.Serializer[Any]):
    """A rule in a narrower scope."""

    code = serializers.ChoiceField(choices=RuleCode.choices)
    commodity = serializers.ChoiceField(choices=Commodity.choices, required=False, allow_blank=True, default="")
    service_class = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    severity = serializers.ChoiceField(choices=Severity.choices)
    thresholds = ThresholdsField(required=False, default=dict)
    enabled = serializers.BooleanField(required=False, default=True)


class RehearsalIn(serializers.Serializer[Any]):
    """The rule as it might be; what is not named is as it is today."""

    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    thresholds = ThresholdsField(required=False, default=dict)
    days = serializers.IntegerField(required=False, default=7, min_value=1, max_value=MOST_DAYS)


class RehearsalOut(serializers.ModelSerializer[Rehearsal]):
    """A rehearsal: what was asked, how far it is, and what it found."""

    thresholds = ThresholdsField()
    found = FoundField()
    status = serializers.CharField(source="job.status", default=None, allow_null=True)
    error = serializers.CharField(source="job.error", default="")

    class Meta:
        model = Rehearsal
        fields = (
            "id",
            "code",
            "commodity",
            "service_class",
            "severity",
            "thresholds",
            "days",
            "asked_at",
            "job",
            "status",
            "error",
            "found",
        )
        read_only_fields = fields


class RuleFilter(filters.FilterSet):  # type: ignore[misc]
    """By code and scope."""

    class Meta:
        model = ValidationRule
        fields = ("code", "commodity", "service_class", "severity", "enabled")


class RuleListView(ListAPIView[ValidationRule]):
    """The rules in force, by code and scope."""

    queryset = ValidationRule.objects.order_by("code", "commodity", "service_class", "id")
    permission_classes = (MayTune,)
    serializer_class = RuleOut
    filterset_class = RuleFilter

    @extend_schema(operation_id="rules_list", tags=["rules"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="rules_create",
        tags=["rules"],
        request=RuleIn,
        responses={201: RuleOut, 409: OpenApiResponse(description="`scope_taken`."), **_WRONG},
        description="Lets a rule hold otherwise for a commodity, a service class, or one of the other.",
    )
    def post(self, request: Request) -> Response:
        asked = RuleIn(data=request.data)
        asked.is_valid(raise_exception=True)
        rule = add_rule(actor=actor_of(request), now=timezone.now(), **asked.validated_data)
        return Response(RuleOut(rule).data, status=status.HTTP_201_CREATED)


class RuleDetailView(APIView):
    """One rule."""

    permission_classes = (MayTune,)

    @extend_schema(operation_id="rules_retrieve", tags=["rules"], responses=RuleDetailOut)
    def get(self, request: Request, rule_id: UUID) -> Response:
        return Response(RuleDetailOut(rule_of(rule_id)).data)

    @extend_schema(
        operation_id="rules_change",
        tags=["rules"],
        request=RuleChangeIn,
        responses={200: RuleDetailOut, **_WRONG},
        description="Holds for what comes in from now on; what entered before is not judged anew.",
        examples=[OpenApiExample("a wider spike", request_only=True, value={"thresholds": {"percent": 250}})],
    )
    def patch(self, request: Request, rule_id: UUID) -> Response:
        asked = RuleChangeIn(data=request.data)
        asked.is_valid(raise_exception=True)
        rule = rule_of(rule_id)
        change_rule(rule_id=rule.pk, actor=actor_of(request), now=timezone.now(), **asked.validated_data)
        return Response(RuleDetailOut(rule_of(rule_id)).data)

    @extend_schema(
        operation_id="rules_remove",
        tags=["rules"],
        responses={204: None, 409: OpenApiResponse(description="`rule_needs_a_row`: switch it off instead.")},
    )
    def delete(self, request: Request, rule_id: UUID) -> Response:
        remove_rule(rule_id=rule_of(rule_id).pk, actor=actor_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(get=extend_schema(operation_id="rule_rehearsals_list", tags=["rules"]))
class RuleRehearsalsView(ListAPIView[Rehearsal]):
    """Rehearsals of a rule in its scope, newest first."""

    queryset = Rehearsal.objects.none()
    permission_classes = (MayTune,)
    serializer_class = RehearsalOut
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Rehearsal]:
        rule = rule_of(self.kwargs["rule_id"])
        same = Rehearsal.objects.filter(code=rule.code, commodity=rule.commodity, service_class=rule.service_class)
        return same.select_related("job").order_by("-asked_at", "-id")

    @extend_schema(
        operation_id="rule_rehearsals_create",
        tags=["rules"],
        request=RehearsalIn,
        responses={202: RehearsalOut, 409: OpenApiResponse(description="`not_rehearsable`."), **_WRONG},
        description="Runs the rule as it might be over the last days, read-only, in the background; `found` of the "
        "rehearsal then tells what it would catch, and what would be new or gone against today's rule.",
    )
    def post(self, request: Request, rule_id: UUID) -> Response:
        asked = RehearsalIn(data=request.data)
        asked.is_valid(raise_exception=True)
        rule, wanted = rule_of(rule_id), asked.validated_data
        rehearsal = rehearse(
            code=rule.code,
            severity=wanted.get("severity", rule.severity),
            thresholds={**rule.thresholds, **wanted["thresholds"]},
            scope=(rule.commodity, rule.service_class),
            days=wanted["days"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return Response(RehearsalOut(rehearsal).data, status=status.HTTP_202_ACCEPTED)


class RehearsalDetailView(APIView):
    """One rehearsal."""

    permission_classes = (MayTune,)

    @extend_schema(operation_id="rehearsals_retrieve", tags=["rules"], responses=RehearsalOut)
    def get(self, request: Request, rehearsal_id: UUID) -> Response:
        return Response(RehearsalOut(rehearsal_of(rehearsal_id)).data)
