from django.db import models

from meters.batteries.querysets import OfBatteryQuerySet


class BatteryTrend(models.Model):
    """Where a quantity of a battery's health was on a day and how it moves; one row a battery, quantity and day."""

    class Quantity(models.TextChoices):
        WEAK_CELL = "weak_cell_v", "weakest cell below the average at rest (V)"
        SPREAD = "cell_spread_v", "spread of the cells at rest (V)"
        RESISTANCE = "resistance_mohm", "resistance in like conditions (mΩ)"
        SOH = "soh_percent", "state of health (%)"

    class Reason(models.TextChoices):
        """Why nobody says when a threshold is reached."""

        NONE = "", "—"
        NOT_MEASURED = "not_measured", "not measured"
        TOO_SHORT = "too_short", "too few days"
        STEADY = "steady", "no worsening that stands out from the scatter"
        TOO_FAR = "too_far", "too far ahead to foresee"
        REACHED = "reached", "reached already"

    id = models.BigAutoField(primary_key=True)
    battery = models.ForeignKey("batteries.Battery", on_delete=models.CASCADE, related_name="trends")
    quantity = models.CharField(max_length=20, choices=Quantity.choices)
    day = models.DateField(help_text="UTC.")
    value = models.FloatField(null=True, help_text="Of the day; empty: nothing could be measured.")
    covered_seconds = models.FloatField(default=0.0, help_text="For how long of the day its flows were known.")
    samples = models.PositiveIntegerField(default=0, help_text="What it was measured by.")
    level = models.FloatField(null=True, help_text="Of the robust line through the year before, on the day.")
    slope_a_day = models.FloatField(null=True, help_text="Of that line.")
    threshold = models.FloatField(null=True)
    days_to_threshold = models.FloatField(null=True, help_text="Empty: not foreseeable.")
    days_soonest = models.FloatField(null=True, help_text="By the upper bound of the slope (99 %).")
    days_latest = models.FloatField(null=True, help_text="By the lower bound; empty: beyond what is foreseen.")
    reason = models.CharField(max_length=15, choices=Reason.choices, blank=True)
    conditions = models.CharField(
        max_length=20, blank=True, help_text="Of charge and temperature, that the value is of."
    )
    detail = models.JSONField(default=dict, help_text="Median and samples by conditions of charge and temperature.")
    made_at = models.DateTimeField()

    objects = OfBatteryQuerySet.as_manager()

    class Meta:
        ordering = ("battery", "quantity", "-day")
        constraints = (models.UniqueConstraint(fields=("battery", "quantity", "day"), name="battery_trend_one_a_day"),)

    def __str__(self) -> str:
        return f"{self.battery_id} {self.quantity} on {self.day}"
