from django.core.validators import MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from accounts.models.customers import validate_zone
from meters.devices.querysets import DeviceQuerySet


class Quantity(models.TextChoices):
    """What the portal keeps of what a device tells, with its unit."""

    POWER = "power_w", "power (W)"
    TEMPERATURE = "temperature_c", "temperature (°C)"
    VOLTAGE = "voltage_v", "voltage (V)"
    CURRENT = "current_a", "current (A)"
    ENERGY = "energy_wh", "energy since the message before (Wh)"
    SWITCH = "switch", "switch"


class Product(models.Model):
    """A type of device, as its maker numbers it."""

    id = models.AutoField(primary_key=True)
    product_id = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("product_id",)

    def __str__(self) -> str:
        return self.name or self.product_id


class PropertyMapping(models.Model):
    """What a code of a product means; without a product, of every one that says nothing else of the code."""

    id = models.AutoField(primary_key=True)
    product = models.ForeignKey(Product, on_delete=models.CASCADE, null=True, blank=True, related_name="mappings")
    code = models.CharField(max_length=64)
    quantity = models.CharField(max_length=15, choices=Quantity.choices)
    factor = models.FloatField(default=1.0, help_text="The value times this is in the quantity's unit.")
    history = HistoricalRecords()

    class Meta:
        ordering = ("product", "code")
        constraints = (
            models.UniqueConstraint(
                fields=("product", "code"), name="property_mapping_one_a_code", nulls_distinct=False
            ),
            models.CheckConstraint(name="property_mapping_factor_not_zero", condition=~models.Q(factor=0)),
        )

    def __str__(self) -> str:
        return f"{self.code} → {self.quantity}"


class UnknownCode(models.Model):
    """A code that no mapping knows, and how often a product sent it: a count for people, not a promise."""

    id = models.AutoField(primary_key=True)
    product_id = models.CharField(max_length=64, blank=True)
    code = models.CharField(max_length=64)
    count = models.BigIntegerField(default=0)
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ("-count", "id")
        constraints = (models.UniqueConstraint(fields=("product_id", "code"), name="unknown_code_one_a_product"),)

    def __str__(self) -> str:
        return f"{self.product_id} {self.code}"


class DeviceGroup(models.Model):
    """Devices that are reported and looked at together."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Device(models.Model):
    """A connected device; it is never deleted, only retired, and what it told stays."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.AutoField(primary_key=True)
    device_id = models.CharField(max_length=64, unique=True, help_text="As it names itself.")
    name = models.CharField(max_length=100, blank=True)
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="devices"
    )
    group = models.ForeignKey(
        DeviceGroup, on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="devices"
    )
    region = models.ForeignKey(
        "meters.Region", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="devices"
    )
    account = models.ForeignKey(
        "accounts.CustomerAccount",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="devices",
    )
    zone = models.CharField(
        max_length=64, blank=True, validators=[validate_zone], help_text="IANA; empty: the portal's own."
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    is_critical = models.BooleanField(default=False, help_text="A load that nobody may switch from here.")
    rated_power_w = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0)])
    hold_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="How long its last power counts without a word; empty: the portal's default."
    )
    replaces = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="replaced_by")
    retired_at = models.DateTimeField(null=True, blank=True)
    created_by_source = models.ForeignKey(
        "accounts.DataSource", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    objects = DeviceQuerySet.as_manager()

    class Meta:
        ordering = ("device_id",)
        # A page of a filtered list is one short scan, however many devices share the group.
        indexes = (
            models.Index(
                fields=("retired_at",), condition=models.Q(retired_at__isnull=False), name="device_by_retirement"
            ),
            models.Index(fields=("product", "id"), name="device_by_product"),
            models.Index(fields=("group", "id"), name="device_by_group"),
            models.Index(fields=("region", "id"), name="device_by_region"),
            models.Index(fields=("account", "id"), name="device_by_account", condition=~models.Q(account=None)),
            models.Index(fields=("id",), name="device_retired", condition=models.Q(status="retired")),
        )
        constraints = (
            models.CheckConstraint(
                name="device_retired_when_it_says_so",
                condition=models.Q(status="retired", retired_at__isnull=False)
                | models.Q(status="active", retired_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return self.name or self.device_id


class DeviceState(models.Model):
    """What a device told last of each quantity, and whether it is online; brought up to date every few seconds."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="state")
    seen_at = models.DateTimeField(null=True, blank=True, help_text="The time of its newest property.")
    heard_at = models.DateTimeField(null=True, blank=True, help_text="When the portal last received anything of it.")
    power_w = models.FloatField(null=True, blank=True)
    power_at = models.DateTimeField(null=True, blank=True)
    temperature_c = models.FloatField(null=True, blank=True)
    temperature_at = models.DateTimeField(null=True, blank=True)
    switch = models.BooleanField(null=True, blank=True)
    switch_at = models.DateTimeField(null=True, blank=True)
    is_online = models.BooleanField(default=False)
    online_changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        # Of what changes every few seconds nothing is indexed: its updates stay on their page and touch no index.
        indexes = (models.Index(fields=("device",), condition=models.Q(is_online=False), name="device_state_offline"),)

    def __str__(self) -> str:
        return f"{self.device_id} {'online' if self.is_online else 'offline'}"


class StateMark(models.Model):
    """Up to when what was received has reached the states: one row.

    What is timed today is looked at every few seconds, what came late for older days now and then.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    until = models.DateTimeField(null=True)
    late_until = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(name="state_mark_is_one", condition=models.Q(id=1)),)

    def __str__(self) -> str:
        return f"{self.until}"
