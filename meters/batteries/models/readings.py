from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from meters.series.fields import RealField


class BmsReading(models.Model):
    """What the BMS told of an instant: a series, partitioned by month (UTC) of ``time``; missing is what it left out.

    The key is (battery, time); a later value of the same time joins the row, and the first one of each stands.
    """

    pk = models.CompositePrimaryKey("battery_id", "time")
    battery = models.ForeignKey(
        "batteries.Battery", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="bms"
    )
    soc_percent = RealField(null=True)
    time = models.DateTimeField()
    received_at = models.DateTimeField()
    soh_percent = RealField(null=True)
    voltage_v = RealField(null=True)
    current_a = RealField(null=True, help_text="Positive while it discharges.")
    cell_avg_voltage_v = RealField(null=True)
    cell_avg_temp_c = RealField(null=True)
    cell_max_voltage_v = RealField(null=True)
    cell_min_voltage_v = RealField(null=True)
    cell_voltage_diff_v = RealField(null=True)
    cell_temp_diff_c = RealField(null=True)

    class Meta:
        indexes = (
            BrinIndex(fields=("received_at",), name="bmsreading_received_brin", pages_per_range=32, autosummarize=True),
        )

    def __str__(self) -> str:
        return f"{self.battery_id} {self.time:%Y-%m-%d %H:%M:%S}"


class PcsReading(models.Model):
    """What the PCS told of an instant: a series, partitioned by month (UTC) of ``time``; missing is what it left out.

    The key is (battery, time); a later value of the same time joins the row, and the first one of each stands.
    """

    pk = models.CompositePrimaryKey("battery_id", "time")
    battery = models.ForeignKey(
        "batteries.Battery", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="pcs"
    )
    apparent_power_kw = RealField(null=True, help_text="Positive while it discharges.")
    time = models.DateTimeField()
    received_at = models.DateTimeField()
    dc_current_a = RealField(null=True, help_text="Positive while it discharges.")
    dc_voltage_v = RealField(null=True)
    ac_current_a_a = RealField(null=True)
    ac_current_b_a = RealField(null=True)
    ac_current_c_a = RealField(null=True)
    ac_voltage_ab_v = RealField(null=True)
    ac_voltage_bc_v = RealField(null=True)
    ac_voltage_ca_v = RealField(null=True)
    temp_environment_c = RealField(null=True)
    temp_ambient_c = RealField(null=True)
    temp_igbt_c = RealField(null=True)

    class Meta:
        indexes = (
            BrinIndex(fields=("received_at",), name="pcsreading_received_brin", pages_per_range=32, autosummarize=True),
        )

    def __str__(self) -> str:
        return f"{self.battery_id} {self.time:%Y-%m-%d %H:%M:%S}"
