import uuid
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from simple_history.models import HistoricalRecords

from accounts.models.customers import validate_zone
from accounts.roles import Scope


class DataSource(models.Model):
    """A machine that pushes data or asks for it, with what its keys may do."""

    class LabelConvention(models.TextChoices):
        PERIOD_END = "period_end", "period end (00:30 ends the first half-hour; 23:59 is midnight)"
        PERIOD_START = "period_start", "period start (00:00 starts the first half-hour)"
        END_MINUS_ONE = "end_minus_one", "last minute (:29 and :59)"

    id = models.AutoField(primary_key=True)
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    label_convention = models.CharField(
        max_length=20, choices=LabelConvention.choices, default=LabelConvention.PERIOD_END
    )
    zone = models.CharField(
        max_length=64,
        blank=True,
        validators=[validate_zone],
        help_text="Of naive times; empty: the premises' own.",
    )
    may_create_devices = models.BooleanField(default=False)
    messages_per_minute = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: the portal's default.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def allows(self, scope: Scope | str) -> bool:
        """Tell whether its keys open a scope."""
        return str(scope) in self.scopes


class SourceKey(models.Model):
    """One key of a data source: only its hash is kept, and its first characters to name it by."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.ForeignKey(DataSource, on_delete=models.CASCADE, related_name="keys")
    prefix = models.CharField(max_length=16, unique=True)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("created_at",)

    def __str__(self) -> str:
        return f"{self.prefix}… of {self.source}"

    def in_force(self, now: datetime) -> bool:
        """Tell whether it opens the scopes of its source at an instant."""
        lapsed = self.expires_at is not None and self.expires_at <= now
        return not lapsed and self.revoked_at is None and self.source.revoked_at is None
