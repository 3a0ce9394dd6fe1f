from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from meters.series.fields import RealField


class DeviceSample(models.Model):
    """What a device told of an instant: a series, partitioned by day (UTC) of ``time``; missing is what it left out.

    The key is (device, time); a second property of the same time joins the row, and the first value of each stands.
    """

    pk = models.CompositePrimaryKey("device_id", "time")
    device = models.ForeignKey(
        "devices.Device", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="samples"
    )
    # In the order that leaves the fewest gaps between them.
    power_w = RealField(null=True)
    time = models.DateTimeField()
    received_at = models.DateTimeField()
    temperature_c = RealField(null=True)
    voltage_v = RealField(null=True)
    current_a = RealField(null=True)
    energy_wh = RealField(null=True, help_text="Since the increment before.")
    switch = models.BooleanField(null=True)

    class Meta:
        indexes = (
            BrinIndex(fields=("time",), name="devicesample_time_brin", pages_per_range=32, autosummarize=True),
            BrinIndex(
                fields=("received_at",), name="devicesample_received_brin", pages_per_range=32, autosummarize=True
            ),
        )

    def __str__(self) -> str:
        return f"{self.device_id} {self.time:%Y-%m-%d %H:%M:%S}"


class LateSample(models.Model):
    """What came for a day that lies in the archive already: it waits for the archive's next revision."""

    id = models.BigAutoField(primary_key=True)
    device = models.ForeignKey("devices.Device", on_delete=models.PROTECT, db_index=False, related_name="late_samples")
    time = models.DateTimeField()
    power_w = RealField(null=True)
    temperature_c = RealField(null=True)
    voltage_v = RealField(null=True)
    current_a = RealField(null=True)
    energy_wh = RealField(null=True)
    switch = models.BooleanField(null=True)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("time", "id")
        constraints = (models.UniqueConstraint(fields=("device", "time"), name="late_sample_one_an_instant"),)

    def __str__(self) -> str:
        return f"{self.device_id} {self.time:%Y-%m-%d %H:%M:%S}"


class ArchivedDay(models.Model):
    """A day of samples that lies in a Parquet file."""

    day = models.DateField(primary_key=True, help_text="UTC.")
    file = models.CharField(max_length=255, help_text="Below the archive's folder.")
    revision = models.PositiveIntegerField(default=1)
    rows = models.BigIntegerField()
    bytes = models.BigIntegerField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the file.")
    manifest = models.JSONField(default=dict)
    archived_at = models.DateTimeField()

    class Meta:
        ordering = ("day",)

    def __str__(self) -> str:
        return f"{self.day}, revision {self.revision}"
