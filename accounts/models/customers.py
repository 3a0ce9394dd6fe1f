import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from simple_history.models import HistoricalRecords

from accounts.querysets import (
    AccountAccessQuerySet,
    CustomerAccountQuerySet,
    InvitationQuerySet,
    OfAccountQuerySet,
)

INVITATION_LIFETIME = timedelta(days=14)


def validate_zone(name: str) -> None:
    """Refuse a name that is not an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValidationError(f"{name!r} is not a time zone.", code="unknown_zone") from error


class Premises(models.Model):
    """A place that is supplied, with the zone that its days and months follow."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    address = models.TextField()
    location_id = models.CharField(max_length=64, blank=True, help_text="The utility's own code of the place.")
    zone = models.CharField(max_length=64, default=settings.SITE_ZONE, validators=[validate_zone])
    latitude = models.FloatField(null=True, blank=True, help_text="Degrees, WGS84.")
    longitude = models.FloatField(null=True, blank=True, help_text="Degrees, WGS84.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "premises"
        ordering = ("address", "id")
        constraints = (
            models.CheckConstraint(
                name="premises_coordinates_on_the_globe",
                condition=models.Q(latitude__isnull=True, longitude__isnull=True)
                | models.Q(latitude__range=(-90, 90), longitude__range=(-180, 180)),
            ),
        )

    def __str__(self) -> str:
        return self.address


class CustomerAccount(models.Model):
    """A contract with a customer: who owes and who is told."""

    class Status(models.TextChoices):
        PENDING = "pending"
        ACTIVE = "active"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=40, unique=True, help_text="The number that the customer knows.")
    owner_name = models.CharField(max_length=150)
    email = models.EmailField(blank=True)
    address = models.TextField(blank=True, help_text="Where post goes.")
    zone = models.CharField(max_length=64, default=settings.SITE_ZONE, validators=[validate_zone])
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    objects = CustomerAccountQuerySet.as_manager()

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return f"{self.number} {self.owner_name}"


class FamilyMember(models.Model):
    """Somebody who lives on an account: a name and a relationship, no login."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CustomerAccount, on_delete=models.CASCADE, related_name="family_members")
    name = models.CharField(max_length=150)
    relationship = models.CharField(max_length=50)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfAccountQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return f"{self.name} ({self.relationship})"


class Right(models.TextChoices):
    VIEW = "view"
    ADMINISTER = "administer"


class AccountAccess(models.Model):
    """The period in which a login may view or administer an account."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CustomerAccount, on_delete=models.CASCADE, related_name="accesses")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="accesses")
    right = models.CharField(max_length=10, choices=Right.choices, default=Right.VIEW)
    valid = DateTimeRangeField(default_bounds="[)")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountAccessQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "account accesses"
        ordering = ("created_at", "id")
        constraints = (
            ExclusionConstraint(
                name="access_one_right_at_a_time",
                expressions=[
                    ("account", RangeOperators.EQUAL),
                    ("user", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} may {self.right} {self.account}"


def invitation_expiry() -> datetime:
    """Return the instant at which an invitation made now lapses."""
    return timezone.now() + INVITATION_LIFETIME


class Invitation(models.Model):
    """An offer of access to an account, sent by e-mail and accepted with its token."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(CustomerAccount, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    right = models.CharField(max_length=10, choices=Right.choices, default=Right.VIEW)
    valid = DateTimeRangeField(default_bounds="[)", help_text="When the access that it offers starts and ends.")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="invitations_sent",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=invitation_expiry)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="invitations_accepted",
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")

    def __str__(self) -> str:
        return f"{self.email} to {self.account}"
