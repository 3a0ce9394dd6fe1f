from django.core.validators import MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from accounts.models.customers import validate_zone
from meters.batteries.querysets import BatteryQuerySet, OfBatteryQuerySet


class Convention(models.Model):
    """How somebody writes what batteries tell: names, units, signs and clock; what it leaves out is as the portal's."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    source = models.OneToOneField(
        "accounts.DataSource",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="battery_convention",
        help_text="Whose live readings come so.",
    )
    charge_is_positive = models.BooleanField(
        default=False, help_text="Currents and powers count charging as positive; they are turned round on entry."
    )
    columns = models.JSONField(
        default=dict, blank=True, help_text='Their names of columns or files, as {"SOC": "soc", "U_pack": "voltage"}.'
    )
    units = models.JSONField(
        default=dict, blank=True, help_text='Units of theirs, as {"cell_max_voltage": "mV", "apparent_power": "W"}.'
    )
    time_column = models.CharField(max_length=64, blank=True, help_text="Empty: timestamp, time or the first column.")
    zone = models.CharField(max_length=64, blank=True, validators=[validate_zone], help_text="Of naive times; UTC.")
    clock_offset_seconds = models.FloatField(
        default=0.0, help_text="By how much their clock is ahead; it is taken off every time."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Battery(models.Model):
    """A battery with its BMS and PCS; it is never deleted, only retired, and what it told stays."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.AutoField(primary_key=True)
    battery_id = models.CharField(max_length=64, unique=True, help_text="As it names itself.")
    name = models.CharField(max_length=100, blank=True)
    account = models.ForeignKey(
        "accounts.CustomerAccount", on_delete=models.PROTECT, null=True, blank=True, related_name="batteries"
    )
    region = models.ForeignKey(
        "meters.Region", on_delete=models.PROTECT, null=True, blank=True, related_name="batteries"
    )
    convention = models.ForeignKey(
        Convention,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="batteries",
        help_text="Of its files, and of live readings whose source has none.",
    )
    zone = models.CharField(
        max_length=64, blank=True, validators=[validate_zone], help_text="IANA; empty: the portal's own."
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    is_simulated = models.BooleanField(default=False, help_text="What it tells is made by a simulator; pages say so.")
    cells_in_series = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    capacity_ah = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    rated_energy_kwh = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    rated_power_kw = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    current_limit_a = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    soc_low_percent = models.FloatField(default=5.0)
    soc_high_percent = models.FloatField(default=95.0)
    cell_voltage_low_v = models.FloatField(default=2.8)
    cell_voltage_high_v = models.FloatField(default=3.6)
    cell_temp_low_c = models.FloatField(default=5.0)
    cell_temp_high_c = models.FloatField(default=45.0)
    igbt_temp_high_c = models.FloatField(default=85.0)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    objects = BatteryQuerySet.as_manager()

    class Meta:
        ordering = ("battery_id",)
        verbose_name_plural = "batteries"
        constraints = (
            models.CheckConstraint(
                name="battery_retired_when_it_says_so",
                condition=models.Q(status="retired", retired_at__isnull=False)
                | models.Q(status="active", retired_at__isnull=True),
            ),
            models.CheckConstraint(
                name="battery_windows_are_open",
                condition=models.Q(soc_low_percent__lt=models.F("soc_high_percent"))
                & models.Q(cell_voltage_low_v__lt=models.F("cell_voltage_high_v"))
                & models.Q(cell_temp_low_c__lt=models.F("cell_temp_high_c")),
            ),
        )

    def __str__(self) -> str:
        return self.name or self.battery_id


class BatteryState(models.Model):
    """The newest reading of each of a battery's systems, written in the transaction that stored it."""

    battery = models.OneToOneField(Battery, on_delete=models.CASCADE, primary_key=True, related_name="state")
    bms_at = models.DateTimeField(null=True, blank=True)
    bms = models.JSONField(null=True, blank=True, help_text="By published name; without the time.")
    pcs_at = models.DateTimeField(null=True, blank=True)
    pcs = models.JSONField(null=True, blank=True, help_text="By published name; without the time.")
    heard_at = models.DateTimeField(null=True, blank=True, help_text="When it was last heard live; files do not count.")

    objects = OfBatteryQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.battery_id} {self.heard_at}"
