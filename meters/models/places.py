import uuid
from decimal import Decimal

from django.contrib.postgres.indexes import GistIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from meters.querysets import MeterQuerySet, OfMeterQuerySet, ServicePointQuerySet, spot_of


class Commodity(models.TextChoices):
    ELECTRIC = "electric"
    WATER = "water"
    GAS = "gas"
    HEAT = "heat"


class ServicePoint(models.Model):
    """A place of supply: it owns the history, whichever meters hang there."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        INACTIVE = "inactive"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=40, unique=True)
    premises = models.ForeignKey("accounts.Premises", on_delete=models.PROTECT, related_name="service_points")
    commodity = models.CharField(max_length=10, choices=Commodity.choices, default=Commodity.ELECTRIC)
    service_class = models.CharField(max_length=40, default="residential")
    greatest_rate_per_hour = models.DecimalField(
        max_digits=12,
        decimal_places=3,
        default=Decimal("13.8"),
        validators=[MinValueValidator(Decimal("0.001"))],
        help_text="What the connection can carry in an hour, in the registers' unit (60 A x 230 V: 13.8 kWh).",
    )
    calorific_value_mj_m3 = models.DecimalField(
        max_digits=8,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.0001"))],
        help_text="Of the gas supplied, MJ/m³: makes kWh of m³.",
    )
    volume_correction = models.DecimalField(
        max_digits=8,
        decimal_places=6,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="Of gas, for its temperature and pressure.",
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    objects = ServicePointQuerySet.as_manager()

    class Meta:
        ordering = ("code",)
        constraints = (
            models.CheckConstraint(
                name="service_point_gas_values_positive",
                condition=(models.Q(calorific_value_mj_m3__isnull=True) | models.Q(calorific_value_mj_m3__gt=0))
                & models.Q(volume_correction__gt=0),
            ),
        )

    def __str__(self) -> str:
        return self.code


class Meter(models.Model):
    """A device with a serial number that counts what passes."""

    class Status(models.TextChoices):
        PENDING = "pending"
        ACTIVE = "active"
        INACTIVE = "inactive"
        MAINTENANCE = "maintenance"
        OUT_OF_SERVICE = "out_of_service"

    class Priority(models.TextChoices):
        LOW = "low"
        MEDIUM = "medium"
        HIGH = "high"
        CRITICAL = "critical"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    serial = models.CharField(max_length=64, unique=True)
    type = models.CharField(max_length=10, choices=Commodity.choices, default=Commodity.ELECTRIC)
    status = models.CharField(max_length=15, choices=Status.choices, default=Status.ACTIVE)
    priority = models.CharField(max_length=10, choices=Priority.choices, default=Priority.MEDIUM)
    address = models.TextField(blank=True)
    location_id = models.CharField(max_length=64, blank=True)
    latitude = models.FloatField(null=True, blank=True, help_text="Degrees, WGS84.")
    longitude = models.FloatField(null=True, blank=True, help_text="Degrees, WGS84.")
    region = models.ForeignKey(
        "meters.Region",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="meters",
        help_text="Of the active regions that hold its coordinates the one whose centre is nearest.",
    )
    owner = models.CharField(max_length=150, blank=True)
    estimated_time = models.PositiveSmallIntegerField(default=10, help_text="Minutes that a reading by hand takes.")
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords(excluded_fields=["region"])

    objects = MeterQuerySet.as_manager()

    class Meta:
        ordering = ("serial",)
        constraints = (
            models.CheckConstraint(
                name="meter_coordinates_on_the_globe",
                condition=models.Q(latitude__isnull=True, longitude__isnull=True)
                | models.Q(latitude__range=(-90, 90), longitude__range=(-180, 180)),
            ),
        )
        indexes = (GistIndex(spot_of(), name="meter_by_place"),)

    def __str__(self) -> str:
        return self.serial


class Register(models.Model):
    """One count of a meter: a dial that only grows, or energy an interval."""

    class Direction(models.TextChoices):
        IMPORT = "import"
        EXPORT = "export"

    class Kind(models.TextChoices):
        CUMULATIVE = "cumulative"
        INTERVAL = "interval"

    class Unit(models.TextChoices):
        KWH = "kWh", "kWh"
        M3 = "m³", "m³"
        GJ = "GJ", "GJ"

    id = models.AutoField(primary_key=True)
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="registers")
    code = models.CharField(max_length=20, default="1.8.0", help_text="OBIS: 1.8.0 import, 2.8.0 export.")
    direction = models.CharField(max_length=10, choices=Direction.choices, default=Direction.IMPORT)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.CUMULATIVE)
    unit = models.CharField(max_length=5, choices=Unit.choices, default=Unit.KWH)
    digits = models.PositiveSmallIntegerField(
        default=6,
        validators=[MinValueValidator(3), MaxValueValidator(9)],
        help_text="Before the point: the dial turns over at 10^digits.",
    )
    decimals = models.PositiveSmallIntegerField(default=3, validators=[MaxValueValidator(6)])
    multiplier = models.DecimalField(
        max_digits=12, decimal_places=4, default=Decimal(1), validators=[MinValueValidator(Decimal("0.0001"))]
    )
    created_at = models.DateTimeField(auto_now_add=True)
    history = HistoricalRecords()

    objects = OfMeterQuerySet.as_manager()

    class Meta:
        ordering = ("meter", "code")
        constraints = (models.UniqueConstraint(fields=("meter", "code"), name="register_one_code_a_meter"),)

    def __str__(self) -> str:
        return f"{self.meter} {self.code}"

    @property
    def modulus(self) -> Decimal:
        """The value at which the dial shows zero again."""
        return Decimal(10) ** self.digits
