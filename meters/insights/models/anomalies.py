import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from meters.insights.models.subjects import OfSubject, Subject
from meters.insights.querysets import InsightQuerySet
from meters.series.fields import RealField


class Baseline(models.Model):
    """What is usual of a subject at each half-hour of the week, made from the weeks before ``until``, and its state.

    Arrays hold 336 values from Monday 00:00 local on; a cell of which too little is known is NaN.
    """

    id = models.BigAutoField(primary_key=True)
    subject_kind = models.CharField(max_length=15, choices=Subject.choices)
    subject = models.CharField(max_length=64)
    zone = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    until = models.DateTimeField(help_text="Nothing at or after this instant made it.")
    median = ArrayField(RealField(), default=list)
    spread = ArrayField(RealField(), default=list, help_text="Median absolute deviation, times 1.4826.")
    figures = models.JSONField(default=dict, help_text="What the detectors keep of the past beside it.")
    state = models.JSONField(default=dict, help_text="Where the hysteresis stands.")
    scored_until = models.DateTimeField(null=True)

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
            models.CheckConstraint(name="anomaly_ends_after_its_start", condition=models.Q(end__gt=models.F("start"))),
        )
        indexes = (
            models.Index(fields=("subject_kind", "subject", "-start"), name="anomaly_by_subject"),
            models.Index(fields=("-start", "id"), name="anomaly_newest"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.label}"
