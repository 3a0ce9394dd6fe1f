import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from simple_history.models import HistoricalRecords

from meters.querysets import BindingQuerySet, OfServicePointQuerySet


class Binding(models.Model):
    """The period in which an account is supplied at a service point."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("accounts.CustomerAccount", on_delete=models.PROTECT, related_name="bindings")
    service_point = models.ForeignKey("meters.ServicePoint", on_delete=models.PROTECT, related_name="bindings")
    valid = DateTimeRangeField(default_bounds="[)")
    created_at = models.DateTimeField(auto_now_add=True)
    history = HistoricalRecords()

    objects = BindingQuerySet.as_manager()

    class Meta:
        ordering = ("service_point", "valid")
        constraints = (
            ExclusionConstraint(
                name="binding_one_account_at_a_time",
                expressions=[("service_point", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
        )

    def __str__(self) -> str:
        return f"{self.account} at {self.service_point}"


class Installation(models.Model):
    """The period in which a meter hangs at a service point."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    meter = models.ForeignKey("meters.Meter", on_delete=models.PROTECT, related_name="installations")
    service_point = models.ForeignKey("meters.ServicePoint", on_delete=models.PROTECT, related_name="installations")
    valid = DateTimeRangeField(default_bounds="[)")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfServicePointQuerySet.as_manager()

    class Meta:
        ordering = ("service_point", "valid")
        constraints = (
            ExclusionConstraint(
                name="installation_one_place_a_meter",
                expressions=[("meter", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
            ExclusionConstraint(
                name="installation_one_meter_a_place",
                expressions=[("service_point", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
        )

    def __str__(self) -> str:
        return f"{self.meter} at {self.service_point}"


class ChainEvent(models.Model):
    """Something that happened at a service point, with the read that closes or opens a register there."""

    class Kind(models.TextChoices):
        INSTALLED = "installed"
        REMOVED = "removed"
        MULTIPLIER_CHANGED = "multiplier_changed"
        MOVED_IN = "moved_in"
        MOVED_OUT = "moved_out"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service_point = models.ForeignKey("meters.ServicePoint", on_delete=models.PROTECT, related_name="events")
    register = models.ForeignKey(
        "meters.Register", on_delete=models.PROTECT, null=True, blank=True, related_name="events"
    )
    account = models.ForeignKey(
        "accounts.CustomerAccount",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="chain_events",
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    at = models.DateTimeField()
    value = models.DecimalField(
        max_digits=15, decimal_places=6, null=True, blank=True, help_text="What the register showed."
    )
    multiplier = models.DecimalField(
        max_digits=12, decimal_places=4, null=True, blank=True, help_text="In force from here on."
    )
    recorded_at = models.DateTimeField(auto_now_add=True)

    objects = OfServicePointQuerySet.as_manager()

    class Meta:
        ordering = ("service_point", "at", "recorded_at")
        indexes = (models.Index(fields=("register", "at"), name="chain_event_by_register"),)
        constraints = (
            models.UniqueConstraint(
                fields=("register", "kind", "at"), name="chain_event_once_a_register", nulls_distinct=True
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.service_point}"
