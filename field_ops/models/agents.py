import uuid

from django.conf import settings
from django.contrib.postgres.indexes import GistIndex
from django.db import models

from field_ops.querysets import AgentQuerySet, OfAgentQuerySet
from meters.querysets import spot_of

# What a position on the globe is, of a row that may have none.
ON_THE_GLOBE = models.Q(latitude__isnull=True, longitude__isnull=True) | models.Q(
    latitude__range=(-90, 90), longitude__range=(-180, 180)
)


class Agent(models.Model):
    """Somebody who reads meters in the street.

    ``current_load`` counts what they still have to do, which is open and not in review: it moves with the assignments,
    in the same transaction, under the lock on this row.
    """

    class Status(models.TextChoices):
        AVAILABLE = "available"
        BUSY = "busy"
        OFFLINE = "offline"
        ON_BREAK = "on_break"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="agent")
    region = models.ForeignKey("meters.Region", on_delete=models.PROTECT, null=True, blank=True, related_name="agents")
    location_id = models.CharField(max_length=64, blank=True, help_text="The utility's own code of where they start.")
    current_load = models.PositiveIntegerField(default=0, editable=False)
    max_load = models.PositiveIntegerField(default=20, help_text="Open assignments at most.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OFFLINE)
    latitude = models.FloatField(null=True, blank=True, editable=False, help_text="Last known, degrees, WGS84.")
    longitude = models.FloatField(null=True, blank=True, editable=False, help_text="Last known, degrees, WGS84.")
    accuracy_m = models.FloatField(null=True, blank=True, editable=False)
    located_at = models.DateTimeField(null=True, blank=True, editable=False)
    avatar = models.CharField(max_length=100, blank=True, editable=False, help_text="Name of a stored picture.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AgentQuerySet.as_manager()

    class Meta:
        ordering = ("user__name", "id")
        constraints = (models.CheckConstraint(name="agent_located_on_the_globe", condition=ON_THE_GLOBE),)
        indexes = (GistIndex(spot_of(), name="agent_by_place"),)

    def __str__(self) -> str:
        return self.user.name


class Shift(models.Model):
    """When an agent worked: positions are taken only then."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="shifts")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = OfAgentQuerySet.as_manager()

    class Meta:
        ordering = ("-started_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("agent",), condition=models.Q(ended_at=None), name="shift_one_open_an_agent"
            ),
            models.CheckConstraint(
                name="shift_ends_after_it_starts",
                condition=models.Q(ended_at=None) | models.Q(ended_at__gte=models.F("started_at")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.agent_id} {self.started_at:%Y-%m-%d %H:%M}"


class AgentPosition(models.Model):
    """Where an agent was during a shift; kept for the time that AGENT_POSITION_DAYS states, then forgotten."""

    id = models.BigAutoField(primary_key=True)
    shift = models.ForeignKey(Shift, on_delete=models.CASCADE, related_name="positions")
    at = models.DateTimeField(db_index=True)
    latitude = models.FloatField()
    longitude = models.FloatField()
    accuracy_m = models.FloatField(null=True)

    class Meta:
        ordering = ("shift", "at")
        constraints = (
            models.UniqueConstraint(fields=("shift", "at"), name="agent_position_once_an_instant"),
            models.CheckConstraint(name="agent_position_on_the_globe", condition=ON_THE_GLOBE),
        )

    def __str__(self) -> str:
        return f"{self.latitude:.5f}, {self.longitude:.5f}"


class Phone(models.Model):
    """A browser on which an agent works; revoked when it is lost, after which it opens nothing and wipes itself."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="phones")
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(max_length=200, blank=True, help_text="What the browser calls itself.")
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = OfAgentQuerySet.as_manager()

    class Meta:
        ordering = ("-seen_at", "id")

    def __str__(self) -> str:
        return self.name or str(self.pk)


class AgentNotice(models.Model):
    """Something that an agent should hear of: shown on their pages until seen, sent by mail if not seen soon."""

    class Kind(models.TextChoices):
        ASSIGNED = "assigned"
        CANCELLED = "cancelled"
        RETURNED = "returned"
        APPROVED = "approved"
        REJECTED = "rejected"

    id = models.BigAutoField(primary_key=True)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    assignment = models.ForeignKey("field_ops.Assignment", on_delete=models.CASCADE, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)

    objects = OfAgentQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("agent", "id"), name="agent_notice_unseen", condition=models.Q(seen_at=None)),
            models.Index(
                fields=("created_at",), name="agent_notice_to_mail", condition=models.Q(mailed_at=None, seen_at=None)
            ),
        )

    def __str__(self) -> str:
        return self.text
