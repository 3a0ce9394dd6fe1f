from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from meters.series.fields import RealField


class DeviceHour(models.Model):
    """What a device used in an hour that starts on the local hour of its zone: a series, partitioned by day (UTC).

    ``time`` is the hour's start. Where ``covered_seconds`` is less than 3600, nothing is known of the rest.
    """

    pk = models.CompositePrimaryKey("device_id", "time")
    device = models.ForeignKey(
        "devices.Device", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="hours"
    )
    time = models.DateTimeField()
    energy_wh = models.FloatField()
    covered_seconds = models.FloatField()
    group_id = models.IntegerField(null=True, help_text="Its group when the hour was computed.")
    region_id = models.UUIDField(null=True, help_text="Its region when the hour was computed.")
    end_power_w = RealField(null=True, help_text="What stands at its end; empty where nothing is known of the power.")
    end_heard_at = models.DateTimeField(null=True, help_text="The last word before its end, where a power stands.")

    class Meta:
        indexes = (BrinIndex(fields=("time",), name="devicehour_time_brin", pages_per_range=32, autosummarize=True),)

    def __str__(self) -> str:
        return f"{self.device_id} {self.time:%Y-%m-%d %H:%M} {self.energy_wh} Wh"


class FleetHour(models.Model):
    """What the devices of a group and region used in an hour; the sum over all rows of an hour is the fleet's."""

    id = models.BigAutoField(primary_key=True)
    time = models.DateTimeField(help_text="The hour's start.")
    group = models.ForeignKey(
        "devices.DeviceGroup", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    region = models.ForeignKey(
        "meters.Region", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    energy_wh = models.FloatField()
    covered_seconds = models.FloatField()
    devices = models.IntegerField()

    class Meta:
        ordering = ("time", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("time", "group", "region"), name="fleet_hour_one_a_group", nulls_distinct=False
            ),
        )

    def __str__(self) -> str:
        return f"{self.time:%Y-%m-%d %H:%M} {self.energy_wh} Wh"


class RollupMark(models.Model):
    """Up to when hours are rolled up: one row, locked exclusively by who moves it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    until = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(name="rollup_mark_is_one", condition=models.Q(id=1)),)

    def __str__(self) -> str:
        return f"{self.until}"


class TouchedHour(models.Model):
    """Devices whose hours have to be rolled up: an append-only log, written with the samples, read in batches.

    Without devices it is the hour ``[low, high)`` of all of them, logged when the mark moves past it.
    """

    id = models.BigAutoField(primary_key=True)
    low = models.DateTimeField(help_text="The earliest instant that was written below the mark.")
    high = models.DateTimeField(help_text="The latest instant that was written below the mark.")
    device_ids = ArrayField(models.IntegerField())
    logged_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{len(self.device_ids)} devices, {self.low:%Y-%m-%d %H:%M} to {self.high:%Y-%m-%d %H:%M}"
