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
    service_class = models.CharField(
        max_length=40, blank=True, help_text="The service points that it is for, such as residential; empty: all."
    )
    is_default = models.BooleanField(
        default=False, help_text="For service points of its class whose account has no tariff of its own."
    )
    source = models.TextField(blank=True, help_text="Where its prices were taken from.")
    created_at = models.DateTimeField(auto_now_add=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("code",)
        constraints = (
            models.UniqueConstraint(
                fields=("service_class",), condition=models.Q(is_default=True), name="tariff_one_default_a_class"
            ),
        )

    def __str__(self) -> str:
        return self.name


class TariffVersion(models.Model):
    """A tariff's prices in a period of local days: what its components say.

    A version that issued bills rest on is never changed: its next revision supersedes it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, related_name="versions")
    name = models.CharField(max_length=60, help_text="Such as 2023 Q1.")
    effective = DateRangeField()
    revision = models.PositiveSmallIntegerField(default=1)
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    superseded_at = models.DateTimeField(null=True, blank=True)
    notes = models.TextField(blank=True, help_text="What its source says of it, and what it does not charge for.")
    created_at = models.DateTimeField(auto_now_add=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("tariff", "effective", "revision")
        constraints = (
            ExclusionConstraint(
                name="tariff_version_in_force_one_at_a_time",
                expressions=[("tariff", RangeOperators.EQUAL), ("effective", RangeOperators.OVERLAPS)],
                condition=models.Q(superseded_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        revised = f" (revision {self.revision})" if self.revision > 1 else ""
        return f"{self.tariff} {self.name}{revised}"


class TariffComponent(models.Model):
    """One thing that a version charges for; its terms are data that :mod:`billing.rating.terms` reads."""

    class Kind(models.TextChoices):
        ENERGY = "energy"
        EXPORT = "export", "export credit"
        DEMAND = "demand"
        FIXED = "fixed"
        MINIMUM = "minimum"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(TariffVersion, on_delete=models.CASCADE, related_name="components")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=60, help_text="As it is called on bills, such as Electricity.")
    terms = models.JSONField()

    class Meta:
        ordering = ("version", "position")
        constraints = (models.UniqueConstraint(fields=("version", "position"), name="tariff_component_one_a_position"),)

    def __str__(self) -> str:
        return self.name


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
