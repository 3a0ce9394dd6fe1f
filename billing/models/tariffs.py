import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.core.validators import MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords


class Tax(models.Model):
    """A tax on the subtotal of a bill, versioned apart from tariffs."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=60)

    class Meta:
        verbose_name_plural = "taxes"
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name


class TaxVersion(models.Model):
    """A tax's rate in a period of local days."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tax = models.ForeignKey(Tax, on_delete=models.PROTECT, related_name="versions")
    effective = DateRangeField()
    rate = models.DecimalField(
        max_digits=6, decimal_places=5, validators=[MinValueValidator(0)], help_text="0.09 is 9 %."
    )

    class Meta:
        ordering = ("tax", "effective")
        constraints = (
            ExclusionConstraint(
                name="tax_version_one_at_a_time",
                expressions=[("tax", RangeOperators.EQUAL), ("effective", RangeOperators.OVERLAPS)],
            ),
        )

    def __str__(self) -> str:
        return f"{self.tax} {self.rate:%}"


class Tariff(models.Model):
    """What a customer pays by; its versions hold the prices."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=100)
    currency = models.CharField(max_length=3, default="SGD")
    tax = models.ForeignKey(Tax, on_delete=models.PROTECT, null=True, blank=True, related_name="tariffs")
    is_default = models.BooleanField(default=False, help_text="For accounts that have no tariff of their own.")
    created_at = models.DateTimeField(auto_now_add=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("code",)
        constraints = (
            models.UniqueConstraint(
                fields=("is_default",), condition=models.Q(is_default=True), name="tariff_one_default"
            ),
        )

    def __str__(self) -> str:
        return self.name


class TariffVersion(models.Model):
    """A tariff's prices in a period of local days."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, related_name="versions")
    name = models.CharField(max_length=60, help_text="Such as 2023 Q1.")
    effective = DateRangeField()
    energy_rate = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        validators=[MinValueValidator(0)],
        help_text="Currency a kWh, before tax.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("tariff", "effective")
        constraints = (
            ExclusionConstraint(
                name="tariff_version_one_at_a_time",
                expressions=[("tariff", RangeOperators.EQUAL), ("effective", RangeOperators.OVERLAPS)],
            ),
        )

    def __str__(self) -> str:
        return f"{self.tariff} {self.name}"


class TariffAssignment(models.Model):
    """The tariff that an account chose, in a period of local days."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("accounts.CustomerAccount", on_delete=models.PROTECT, related_name="tariffs")
    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, related_name="assignments")
    effective = DateRangeField()

    class Meta:
        ordering = ("account", "effective")
        constraints = (
            ExclusionConstraint(
                name="tariff_assignment_one_at_a_time",
                expressions=[("account", RangeOperators.EQUAL), ("effective", RangeOperators.OVERLAPS)],
            ),
        )

    def __str__(self) -> str:
        return f"{self.account} on {self.tariff}"
