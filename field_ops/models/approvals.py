import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from field_ops.querysets import ApprovalQuerySet


class Risk(models.TextChoices):
    LOW = "low"
    HIGH = "high"


class ApprovalRequest(models.Model):
    """A submission before those who decide on it: one level at low risk, two at high risk.

    It is under review once the first of two levels has approved. ``is_audited`` marks those of low risk that chance
    chose for a look one by one.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        UNDER_REVIEW = "under_review", "under review"
        APPROVED = "approved"
        REJECTED = "rejected"
        RETURNED = "returned"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    submission = models.OneToOneField("field_ops.Submission", on_delete=models.PROTECT, related_name="approval")
    meter = models.ForeignKey("meters.Meter", on_delete=models.PROTECT, related_name="approval_requests")
    agent = models.ForeignKey("field_ops.Agent", on_delete=models.PROTECT, related_name="approval_requests")
    meter_data = models.JSONField(
        default=dict, encoder=DjangoJSONEncoder, help_text="The meter and its last readings as they were."
    )
    evidence = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    risk = models.CharField(max_length=5, choices=Risk.choices)
    risk_reasons = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    is_audited = models.BooleanField(default=False)
    levels_needed = models.PositiveSmallIntegerField()
    levels_done = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    submission_notes = models.TextField(blank=True)
    review_notes = models.TextField(blank=True)
    submitted_at = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        ordering = ("submitted_at", "id")
        constraints = (
            models.CheckConstraint(
                name="approval_levels_in_order",
                condition=models.Q(levels_needed__range=(1, 2), levels_done__lte=models.F("levels_needed")),
            ),
            models.CheckConstraint(
                name="approval_approved_at_every_level",
                condition=~models.Q(status="approved") | models.Q(levels_done=models.F("levels_needed")),
            ),
        )
        indexes = (
            models.Index(
                fields=("submitted_at",),
                name="approval_waiting",
                condition=models.Q(status__in=("pending", "under_review")),
            ),
            models.Index(fields=("status", "-submitted_at"), name="approval_by_status"),
            models.Index(fields=("submitted_at", "id"), name="approval_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.meter} {self.status}"


class Decision(models.Model):
    """What one person decided at one level, kept for good: the database refuses to change or delete it.

    ``value`` is what the reviewer read on the photo; it stands beside the agent's value, which is never edited.
    """

    class Verdict(models.TextChoices):
        APPROVED = "approved"
        REJECTED = "rejected"
        RETURNED = "returned", "sent back"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="decisions")
    level = models.PositiveSmallIntegerField()
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    notes = models.TextField(blank=True)
    value = models.DecimalField(max_digits=15, decimal_places=6, null=True)
    in_bulk = models.BooleanField(default=False)

    class Meta:
        ordering = ("request", "level")
        constraints = (
            models.UniqueConstraint(fields=("request", "level"), name="decision_one_a_level"),
            models.UniqueConstraint(fields=("request", "by"), name="decision_once_a_person"),
        )

    def __str__(self) -> str:
        return f"{self.verdict} at level {self.level}"
