import uuid

from django.db import models

from meters.insights.models.subjects import OfSubject
from meters.insights.querysets import InsightQuerySet


class Appliance(models.Model):
    """What hangs behind a device that measures one plug, and what is usual of its cycles."""

    class Kind(models.TextChoices):
        REFRIGERATOR = "refrigerator"
        FREEZER = "freezer"
        WASHING_MACHINE = "washing_machine", "washing machine"
        DISHWASHER = "dishwasher"
        DRYER = "dryer", "laundry dryer"
        KETTLE = "kettle"
        COFFEE_MAKER = "coffee_maker", "coffee maker"
        OTHER = "other"

    class Standing(models.TextChoices):
        LEARNING = "learning", "not enough data yet"
        WATCHED = "watched"
        REMOVED = "removed", "not watched any more"

    device = models.OneToOneField(
        "devices.Device", on_delete=models.CASCADE, primary_key=True, related_name="appliance"
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    standing = models.CharField(max_length=10, choices=Standing.choices, default=Standing.LEARNING)
    standing_text = models.TextField(blank=True, help_text="In plain words: what is missing.")
    baseline = models.JSONField(default=dict, help_text="Medians and deviations of its cycles.")
    taught_from = models.DateTimeField(null=True, blank=True, help_text="Days before it teach nothing any more.")
    learnt_until = models.DateTimeField(null=True, blank=True, help_text="Nothing after this instant taught it.")
    diagnosed_until = models.DateTimeField(null=True, blank=True)
    judged = models.JSONField(default=list, blank=True, help_text="The kinds of faults that were judged last.")
    not_judged = models.JSONField(default=dict, blank=True, help_text="Why the others were not, in plain words.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("device",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} on {self.device_id}"


class Fault(OfSubject):
    """Something that is wrong with an appliance, from when it began until it was over."""

    class Kind(models.TextChoices):
        STUCK_ON = "stuck_on", "does not switch off"
        DEAD = "dead", "does not start any more"
        SHORT_CYCLING = "short_cycling", "starts too often"
        POWER_DRIFT = "power_drift", "power has drifted"
        SEAL_LEAK = "seal_leak", "runs too long: seal or door"
        STANDBY_CREEP = "standby_creep", "standby has grown"
        NO_HEATING = "no_heating", "does not heat"
        NO_PUMPING = "no_pumping", "does not pump"

    class State(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        CLOSED = "closed", "over"

    class Severity(models.TextChoices):
        INFO = "info"
        WARNING = "warning"
        CRITICAL = "critical"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    appliance = models.ForeignKey(Appliance, on_delete=models.CASCADE, related_name="faults")
    kind = models.CharField(max_length=15, choices=Kind.choices)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    began_at = models.DateTimeField()
    detected_at = models.DateTimeField()
    cause = models.TextField(help_text="In plain words.")
    advice = models.TextField(help_text="What to do.")
    evidence = models.JSONField(default=dict, help_text="The figures, and the series of the chart.")
    cost_kwh_a_day = models.FloatField("kWh a day more than usual", null=True, blank=True)
    cost_a_month = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    state = models.CharField(max_length=15, choices=State.choices, default=State.OPEN)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True)
    alarm = models.ForeignKey("meters.Alarm", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = InsightQuerySet.as_manager()

    class Meta:
        ordering = ("-detected_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("appliance", "kind"), condition=~models.Q(state="closed"), name="fault_one_open_a_kind"
            ),
        )
        indexes = (models.Index(fields=("-detected_at", "id"), name="fault_newest"),)

    def __str__(self) -> str:
        return f"{self.label} {self.get_kind_display()}"
