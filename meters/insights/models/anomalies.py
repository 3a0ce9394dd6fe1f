import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from meters.insights.models.subjects import OfSubject, Subject
from meters.insights.querysets import InsightQuerySet
from meters.series.fields import RealField


class DetectorModel(models.Model):
    """What the learnt detectors of anomalies were taught by many series together; one is in force."""

    class State(models.TextChoices):
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.PositiveIntegerField(unique=True)
    seed = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices)
    taught_at = models.DateTimeField()
    taught_until = models.DateTimeField(help_text="Nothing at or after this instant taught it.")
    series = models.PositiveIntegerField(help_text="How many taught it.")
    made_with = models.CharField(max_length=100, help_text="The versions of the libraries that can read it.")
    content = models.BinaryField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the content.")
    changed_at = models.DateTimeField(help_text="When it came into its state.")

    class Meta:
        ordering = ("-version",)
        constraints = (
            models.UniqueConstraint(
                fields=("state",), condition=models.Q(state="active"), name="detector_model_one_active"
            ),
        )

    def __str__(self) -> str:
        return f"detectors {self.version}"


class Baseline(models.Model):
    """What is usual of a subject at each half-hour of the week, made from the weeks before ``until``, and its state.

    Arrays hold 336 values from Monday 00:00 local on; a cell of which too little is known is NaN.
    """

    id = models.BigAutoField(primary_key=True)
    subject_kind = models.CharField(max_length=15, choices=Subject.choices)
    subject = models.CharField(max_length=64)
    cohort = models.CharField(max_length=40, blank=True, help_text="With whom it is compared.")
    zone = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    until = models.DateTimeField(help_text="Nothing at or after this instant made it.")
    median = ArrayField(RealField(), default=list)
    spread = ArrayField(RealField(), default=list, help_text="Median absolute deviation, times 1.4826.")
    figures = models.JSONField(default=dict, help_text="What the detectors keep of the past beside it.")
    state = models.JSONField(default=dict, help_text="Where the hysteresis stands.")
    scored_until = models.DateTimeField(null=True, help_text="The end of the newest half-hour that was scored.")
    watched_since = models.DateTimeField(null=True, help_text="From when on its half-hours were scored.")

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("subject_kind", "subject"), name="baseline_one_a_subject"),)

    def __str__(self) -> str:
        return f"{self.subject_kind} {self.subject} until {self.until:%Y-%m-%d %H:%M}"


class Anomaly(OfSubject):
    """A stretch in which a subject behaved as it never does, from its first half-hour until it was usual again."""

    class Kind(models.TextChoices):
        SPIKE = "spike"
        HIGH = "high", "high use"
        LOW = "low", "low use"
        ZERO_RUN = "zero_run", "no use"
        NIGHT_USE = "night_use", "use at night"
        LEVEL_SHIFT = "level_shift", "change of level"
        STUCK = "stuck", "stuck value"
        DRIFT = "drift"
        SHAPE = "shape", "unusual course of the day"

    class State(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        SNOOZED = "snoozed"
        CLOSED = "closed", "over"

    class Verdict(models.TextChoices):
        NONE = "", "—"
        REAL = "real", "something was wrong"
        NORMAL = "normal", "this was normal"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cohort = models.CharField(max_length=40, blank=True, help_text="With whom it is compared.")
    kind = models.CharField(max_length=15, choices=Kind.choices)
    start = models.DateTimeField()
    end = models.DateTimeField(help_text="Of the newest half-hour that belongs to it.")
    detected_at = models.DateTimeField()
    score = models.FloatField(help_text="0 to 1: the highest in the stretch.")
    detectors = models.JSONField(default=dict, help_text="What each detector said of it, 0 to 1.")
    reason = models.TextField(help_text="In plain words.")
    energy_kwh = models.DecimalField(
        max_digits=18, decimal_places=6, help_text="More than usual; less where it is negative."
    )
    usual_kwh = models.DecimalField(max_digits=18, decimal_places=6)
    money = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True, help_text="What that costs.")
    currency = models.CharField(max_length=3, blank=True)
    state = models.CharField(max_length=15, choices=State.choices, default=State.OPEN)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True)
    verdict_at = models.DateTimeField(null=True, blank=True)
    verdict_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True)
    alarm = models.ForeignKey("meters.Alarm", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = InsightQuerySet.as_manager()

    class Meta:
        ordering = ("-start", "id")
        verbose_name_plural = "anomalies"
        constraints = (
            models.UniqueConstraint(fields=("subject_kind", "subject", "start"), name="anomaly_one_a_start"),
            models.UniqueConstraint(
                fields=("subject_kind", "subject"), condition=~models.Q(state="closed"), name="anomaly_one_open"
            ),
            models.CheckConstraint(name="anomaly_ends_after_its_start", condition=models.Q(end__gt=models.F("start"))),
        )
        indexes = (
            models.Index(fields=("subject_kind", "subject", "-start"), name="anomaly_by_subject"),
            models.Index(fields=("-start", "id"), name="anomaly_newest"),
            models.Index(fields=("snoozed_until",), condition=models.Q(state="snoozed"), name="anomaly_put_off"),
            models.Index(fields=("verdict_at",), condition=~models.Q(verdict=""), name="anomaly_judged"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.label}"
