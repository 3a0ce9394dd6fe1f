from django.db import models


class BatteryTrend(models.Model):
    """Where a quantity of a battery's health was on a day and how it moves; one row a battery, quantity and day."""

    class Quantity(models.TextChoices):
        WEAK_CELL = "weak_cell_v", "weakest cell below the average at rest (V)"
        SPREAD = "cell_spread_v", "spread of the cells at rest (V)"
        RESISTANCE = "resistance_mohm", "resistance in like conditions (mΩ)"
        SOH = "soh_percent", "state of health (%)"

    id = models.BigAutoField(primary_key=True)
    battery = models.ForeignKey("batteries.Battery", on_delete=models.CASCADE, related_name="trends")
    quantity = models.CharField(max_length=20, choices=Quantity.choices)
    day = models.DateField(help_text="UTC.")
    value = models.FloatField(null=True, help_text="Of the day; empty: nothing could be measured.")
    samples = models.PositiveIntegerField(default=0, help_text="What it was measured by.")
    slope_a_day = models.FloatField(null=True, help_text="Of the robust line through the days before.")
    threshold = models.FloatField(null=True)
    days_to_threshold = models.FloatField(null=True, help_text="Empty: not foreseeable.")
    detail = models.JSONField(default=dict, help_text="By bin of charge and temperature.")
    made_at = models.DateTimeField()

    class Meta:
        ordering = ("battery", "quantity", "-day")
        constraints = (models.UniqueConstraint(fields=("battery", "quantity", "day"), name="battery_trend_one_a_day"),)

    def __str__(self) -> str:
        return f"{self.battery_id} {self.quantity} on {self.day}"
