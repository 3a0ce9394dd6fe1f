import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from field_ops.querysets import AssignmentQuerySet, RoundQuerySet
from meters.models import Meter

OPEN_STATES = ("pending", "in_progress", "overdue")


class Round(models.Model):
    """Work that comes back: the meters of a region, or a sequence of meters, every few months."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    region = models.ForeignKey("meters.Region", on_delete=models.PROTECT, related_name="rounds")
    agent = models.ForeignKey(
        "field_ops.Agent",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="rounds",
        help_text="Who walks it; empty: it is proposed to the region's agents.",
    )
    every_months = models.PositiveSmallIntegerField(default=2, validators=[MinValueValidator(1), MaxValueValidator(24)])
    next_on = models.DateField(help_text="The day, in the site's zone, on which its assignments are made next.")
    day_of_month = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="On which it is due where the month has such a day, and else on the month's last.",
    )
    days_to_finish = models.PositiveSmallIntegerField(default=14, validators=[MinValueValidator(1)])
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RoundQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(name="round_comes_back", condition=models.Q(every_months__range=(1, 24))),
            models.CheckConstraint(name="round_has_days", condition=models.Q(days_to_finish__gte=1)),
        )

    def __str__(self) -> str:
        return self.name


class RoundStop(models.Model):
    """A meter of a round's own sequence; a round without stops goes to all active meters of its region."""

    id = models.BigAutoField(primary_key=True)
    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="stops")
    position = models.PositiveIntegerField()
    meter = models.ForeignKey("meters.Meter", on_delete=models.CASCADE, related_name="+")

    class Meta:
        ordering = ("round", "position")
        constraints = (
            models.UniqueConstraint(fields=("round", "position"), name="round_stop_one_a_position"),
            models.UniqueConstraint(fields=("round", "meter"), name="round_stop_once_a_meter"),
        )

    def __str__(self) -> str:
        return f"{self.position}. {self.meter_id}"


class RoundRun(models.Model):
    """One time that a round made its assignments; a day of a round is made once."""

    id = models.BigAutoField(primary_key=True)
    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="runs")
    on = models.DateField()
    made_at = models.DateTimeField()
    made = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0, help_text="Meters that had an open assignment already.")

    class Meta:
        ordering = ("-on", "-id")
        constraints = (models.UniqueConstraint(fields=("round", "on"), name="round_run_once_a_day"),)

    def __str__(self) -> str:
        return f"{self.round_id} {self.on}"


class Assignment(models.Model):
    """A meter that is to be read by somebody, or, without an agent, by somebody yet to be found.

    ``sequence`` is its place in the agent's walk. A meter has at most one open assignment; one whose submission is in
    review is still open, but no load on its agent.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        IN_PROGRESS = "in_progress"
        COMPLETED = "completed"
        CANCELLED = "cancelled"
        OVERDUE = "overdue"

    class Origin(models.TextChoices):
        MANUAL = "manual", "by hand"
        PROPOSAL = "proposal"
        ROUND = "round"
        GAP = "gap"
        ESTIMATION = "estimation", "prolonged estimation"
        EXCEPTION = "exception"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    meter = models.ForeignKey("meters.Meter", on_delete=models.PROTECT, related_name="assignments")
    agent = models.ForeignKey(
        "field_ops.Agent", on_delete=models.PROTECT, null=True, blank=True, related_name="assignments"
    )
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    is_in_review = models.BooleanField(default=False)
    origin = models.CharField(max_length=12, choices=Origin.choices, default=Origin.MANUAL)
    round_run = models.ForeignKey(
        RoundRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="assignments"
    )
    event = models.OneToOneField(
        "meters.DomainEvent", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    priority = models.CharField(max_length=10, choices=Meter.Priority.choices, default=Meter.Priority.MEDIUM)
    sequence = models.PositiveIntegerField(default=0)
    estimated_time = models.PositiveSmallIntegerField(default=10, help_text="Minutes.")
    due_at = models.DateTimeField(null=True, blank=True)
    assigned_at = models.DateTimeField(null=True, blank=True)
    assigned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    completion_notes = models.TextField(blank=True)
    closing_reason = models.TextField(blank=True, help_text="Why it was cancelled, or taken from its agent before.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("meter",),
                condition=models.Q(status__in=OPEN_STATES),
                name="assignment_one_open_a_meter",
            ),
            models.CheckConstraint(
                name="assignment_completed_when_it_says_so",
                condition=models.Q(status="completed", completed_at__isnull=False)
                | (~models.Q(status="completed") & models.Q(completed_at__isnull=True)),
            ),
        )
        indexes = (
            models.Index(
                fields=("agent", "sequence"), name="assignment_walk", condition=models.Q(status__in=OPEN_STATES)
            ),
            models.Index(
                fields=("due_at",),
                name="assignment_due",
                condition=models.Q(status__in=("pending", "in_progress"), is_in_review=False),
            ),
            models.Index(fields=("status", "-created_at"), name="assignment_by_status"),
        )

    def __str__(self) -> str:
        return f"{self.meter} {self.status}"


class AssignmentStep(models.Model):
    """What became of an assignment, one act after the other, with who did it and why; never changed."""

    id = models.BigAutoField(primary_key=True)
    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="steps")
    act = models.CharField(max_length=20)
    agent = models.ForeignKey("field_ops.Agent", on_delete=models.PROTECT, null=True, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ("assignment", "id")

    def __str__(self) -> str:
        return self.act
