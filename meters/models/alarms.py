import uuid

from django.core.validators import MinValueValidator
from django.db import models

from meters.querysets import AlarmQuerySet


class SubjectKind(models.TextChoices):
    """What an alarm may be about."""

    DEVICE = "device"
    BATTERY = "battery"
    METER = "meter"
    SERVICE_POINT = "service_point", "service point"
    PORTAL = "portal"


class AlarmSeverity(models.TextChoices):
    """How much it matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlarmRule(models.Model):
    """When an alarm of a kind is raised and cleared, for all subjects of a kind or for one of them.

    With ``above`` it is raised at ``set_at`` or more and cleared at ``clear_at`` or less; with ``below`` the other way
    round; with ``silent`` it is raised once nothing was heard for ``no_data_seconds``, and cleared by the next value.
    """

    class Comparison(models.TextChoices):
        ABOVE = "above"
        BELOW = "below"
        SILENT = "silent"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40, help_text="What its alarms are called by machines, as over_power.")
    subject_kind = models.CharField(max_length=15, choices=SubjectKind.choices)
    subject = models.CharField(max_length=64, blank=True, help_text="Empty: all of the kind.")
    quantity = models.CharField(max_length=40, help_text="What is watched, as power_w; of silence, seen.")
    comparison = models.CharField(max_length=10, choices=Comparison.choices)
    set_at = models.FloatField(null=True, blank=True)
    clear_at = models.FloatField(null=True, blank=True)
    hold_seconds = models.PositiveIntegerField(default=0, help_text="How long it must hold before it is raised.")
    clear_hold_seconds = models.PositiveIntegerField(default=0, help_text="How long it must be over before it clears.")
    no_data_seconds = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    severity = models.CharField(max_length=10, choices=AlarmSeverity.choices, default=AlarmSeverity.WARNING)
    escalate_after_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="Not acknowledged for so long, it becomes critical and is told again."
    )
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("subject_kind", "kind", "subject")
        constraints = (
            models.UniqueConstraint(fields=("subject_kind", "kind", "subject"), name="alarm_rule_one_a_scope"),
            models.CheckConstraint(
                name="alarm_rule_has_its_thresholds",
                condition=(
                    models.Q(comparison="above", set_at__isnull=False, clear_at__lte=models.F("set_at"))
                    | models.Q(comparison="below", set_at__isnull=False, clear_at__gte=models.F("set_at"))
                    | models.Q(comparison="silent", no_data_seconds__isnull=False)
                ),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject or f'every {self.get_subject_kind_display()}'}"


class AlarmWatch(models.Model):
    """A subject that was not quiet under a rule lately: its phase since when, and what an alarm of it would say."""

    class Phase(models.TextChoices):
        QUIET = "quiet"
        HOLDING = "holding", "begins to hold"
        RAISED = "raised"
        CLEARING = "clearing", "begins to be over"

    id = models.BigAutoField(primary_key=True)
    rule = models.ForeignKey(AlarmRule, on_delete=models.CASCADE, related_name="watches")
    subject = models.CharField(max_length=64)
    phase = models.CharField(max_length=10, choices=Phase.choices)
    since = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="The instant of the newest value that was looked at.")
    label = models.CharField(max_length=150)
    value = models.FloatField(null=True, blank=True)
    account = models.ForeignKey(
        "accounts.CustomerAccount", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    region = models.ForeignKey("meters.Region", on_delete=models.CASCADE, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "alarm watches"
        constraints = (models.UniqueConstraint(fields=("rule", "subject"), name="alarm_watch_one_a_subject"),)

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject} {self.phase}"


class Alarm(models.Model):
    """Something that somebody has to know of, from when it was raised until it was cleared."""

    class State(models.TextChoices):
        RAISED = "raised"
        ACKNOWLEDGED = "acknowledged"
        CLEARED = "cleared"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    rule = models.ForeignKey(AlarmRule, on_delete=models.SET_NULL, null=True, blank=True, related_name="alarms")
    kind = models.CharField(max_length=40)
    subject_kind = models.CharField(max_length=15, choices=SubjectKind.choices)
    subject = models.CharField(max_length=64)
    label = models.CharField(max_length=150, help_text="What people call its subject.")
    account = models.ForeignKey(
        "accounts.CustomerAccount", on_delete=models.PROTECT, null=True, blank=True, related_name="alarms"
    )
    region = models.ForeignKey("meters.Region", on_delete=models.PROTECT, null=True, blank=True, related_name="alarms")
    severity = models.CharField(max_length=10, choices=AlarmSeverity.choices)
    state = models.CharField(max_length=15, choices=State.choices, default=State.RAISED)
    text = models.TextField(help_text="In plain words.")
    value = models.FloatField(null=True, blank=True)
    raised_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    cleared_at = models.DateTimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True)

    objects = AlarmQuerySet.as_manager()

    class Meta:
        ordering = ("-raised_at", "id")
        indexes = (models.Index(fields=("subject_kind", "subject", "-raised_at"), name="alarm_by_subject"),)
        constraints = (
            models.UniqueConstraint(
                fields=("subject_kind", "subject", "kind"),
                condition=~models.Q(state="cleared"),
                name="alarm_one_open_a_kind",
            ),
            models.CheckConstraint(
                name="alarm_cleared_when_it_says_so",
                condition=models.Q(state="cleared", cleared_at__isnull=False)
                | (~models.Q(state="cleared") & models.Q(cleared_at__isnull=True)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.label}"


class AlarmNotice(models.Model):
    """News of an alarm for one channel, written with the deed and ticked off once it was told."""

    class Channel(models.TextChoices):
        EMAIL = "email", "e-mail"
        WEBSOCKET = "websocket"
        MQTT = "mqtt", "MQTT"

    class News(models.TextChoices):
        RAISED = "raised"
        ACKNOWLEDGED = "acknowledged"
        ESCALATED = "escalated"
        CLEARED = "cleared"

    id = models.BigAutoField(primary_key=True)
    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="notices")
    channel = models.CharField(max_length=10, choices=Channel.choices)
    news = models.CharField(max_length=15, choices=News.choices)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("id",)
        indexes = (
            models.Index(fields=("channel", "id"), condition=models.Q(sent_at=None), name="alarm_notice_waiting"),
        )

    def __str__(self) -> str:
        return f"{self.news} by {self.channel}: {self.alarm_id}"
