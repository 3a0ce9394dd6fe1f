from django.contrib.postgres.fields import ArrayField
from django.db import models

from meters.series.fields import RealField


class BatteryQuarter(models.Model):
    """What happened in a quarter of an hour: a series, partitioned by month (UTC); ``time`` is its start.

    Where ``covered_seconds`` is less than 900, nothing is known of the rest. Energies and charges are of the battery's
    DC side; those that begin with ``ac`` are told by the PCS.
    """

    pk = models.CompositePrimaryKey("battery_id", "time")
    battery = models.ForeignKey(
        "batteries.Battery", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="quarters"
    )
    time = models.DateTimeField()
    covered_seconds = RealField()
    discharged_kwh = models.FloatField(null=True)
    charged_kwh = models.FloatField(null=True)
    discharged_ah = models.FloatField(null=True)
    charged_ah = models.FloatField(null=True)
    ac_covered_seconds = RealField()
    ac_discharged_kwh = models.FloatField(null=True)
    ac_charged_kwh = models.FloatField(null=True)
    soc_first_percent = RealField(null=True)
    soc_last_percent = RealField(null=True)
    soc_low_percent = RealField(null=True)
    soc_high_percent = RealField(null=True)
    soh_percent = RealField(null=True, help_text="The last that was told in it.")
    cell_voltage_low_v = RealField(null=True)
    cell_voltage_high_v = RealField(null=True)
    cell_voltage_diff_high_v = RealField(null=True)
    cell_temp_low_c = RealField(null=True)
    cell_temp_high_c = RealField(null=True)
    igbt_temp_high_c = RealField(null=True)
    soc_outside_seconds = RealField()
    voltage_outside_seconds = RealField()
    temp_outside_seconds = RealField()

    def __str__(self) -> str:
        return f"{self.battery_id} {self.time:%Y-%m-%d %H:%M}"


class QuarterMark(models.Model):
    """Up to when quarters are rolled up: one row, locked exclusively by who moves it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    until = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(name="quarter_mark_is_one", condition=models.Q(id=1)),)

    def __str__(self) -> str:
        return f"{self.until}"


class TouchedQuarters(models.Model):
    """Batteries whose quarters have to be rolled up: an append-only log, written with the readings.

    Without batteries it is the span ``[low, high)`` of all of them, logged when the mark moves past it.
    """

    id = models.BigAutoField(primary_key=True)
    low = models.DateTimeField(help_text="The earliest instant that was written below the mark.")
    high = models.DateTimeField(help_text="The latest instant that was written below the mark.")
    battery_ids = ArrayField(models.IntegerField())
    logged_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "touched quarters"

    def __str__(self) -> str:
        return f"{len(self.battery_ids)} batteries, {self.low:%Y-%m-%d %H:%M} to {self.high:%Y-%m-%d %H:%M}"
