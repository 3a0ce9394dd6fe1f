import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords


class Severity(models.TextChoices):
    """What becomes of a value that a rule catches."""

    REJECT = "reject", "reject: it does not enter"
    QUARANTINE = "quarantine", "quarantine: it waits for a decision"
    FLAG = "flag", "flag: it enters, and an exception opens"
    INFO = "info", "info: it enters, and is only counted"


class RuleCode(models.TextChoices):
    """The rules that readings are validated by."""

    OFF_MARK = "off_mark"
    IN_FUTURE = "in_future"
    UNKNOWN_METER = "unknown_meter"
    INACTIVE_METER = "inactive_meter"
    WRONG_UNIT = "wrong_unit"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REGRESSION = "regression"
    ROLLOVER = "rollover"
    NEGATIVE = "negative"
    OVER_CAPACITY = "over_capacity"
    HIGH = "high"
    LOW = "low"
    SPIKE = "spike"
    STUCK = "stuck"
    ZERO_USE = "zero_use"
    INACTIVE_USE = "inactive_use"
    SUM_CHECK = "sum_check"
    GAP = "gap"
    PROLONGED_ESTIMATION = "prolonged_estimation"
    CLOCK_DRIFT = "clock_drift"


class ValidationRule(models.Model):
    """How one rule is applied within a scope; of several that fit, the narrowest scope counts.

    An empty ``commodity`` or ``service_class`` means all. ``thresholds`` are numbers by the names that the rule knows.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=30, choices=RuleCode.choices)
    commodity = models.CharField(max_length=10, blank=True)
    service_class = models.CharField(max_length=40, blank=True)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    thresholds = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("code", "commodity", "service_class")
        constraints = (
            models.UniqueConstraint(fields=("code", "commodity", "service_class"), name="validation_rule_once_a_scope"),
        )

    def __str__(self) -> str:
        return " ".join(part for part in (self.code, self.commodity, self.service_class) if part)


class Rehearsal(models.Model):
    """A changed rule run over past days, to see what it would have caught before it is switched on.

    ``found`` holds counts and examples: ``{"checked", "caught", "caught_now", "added", "dropped", "examples": [...]}``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=30, choices=RuleCode.choices)
    commodity = models.CharField(max_length=10, blank=True)
    service_class = models.CharField(max_length=40, blank=True)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    thresholds = models.JSONField(default=dict, blank=True)
    days = models.PositiveSmallIntegerField(default=7, validators=[MinValueValidator(1), MaxValueValidator(92)])
    found = models.JSONField(default=dict)
    job = models.OneToOneField("meters.Job", on_delete=models.SET_NULL, null=True, related_name="rehearsal")
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ("-asked_at", "id")

    def __str__(self) -> str:
        return f"{self.code} over {self.days} days"
