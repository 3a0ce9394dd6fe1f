import uuid

from django.db import models

from billing.querysets import CorrectionQuerySet, DisputeQuerySet


class CreditNoteNumberSeries(models.Model):
    """The last number given to a credit note of a month; its row is the lock that leaves no gap between numbers."""

    month = models.DateField(primary_key=True)
    last_number = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "credit note number series"
        ordering = ("-month",)

    def __str__(self) -> str:
        return f"CN-{self.month:%Y%m}-{self.last_number:06d}"


class Rerating(models.Model):
    """The bills that a revised tariff version touches, rated anew: started once, continued where it stopped."""

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"

    version = models.OneToOneField(
        "billing.TariffVersion", on_delete=models.PROTECT, primary_key=True, related_name="rerating"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    cursor = models.CharField(max_length=40, blank=True, help_text="Number of the last account that was looked at.")
    bills_rated = models.PositiveIntegerField(default=0, help_text="Issued bills that were rated anew.")
    corrections_proposed = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-started_at",)

    def __str__(self) -> str:
        return f"Rating anew after {self.version_id}"


class Correction(models.Model):
    """A proposal to take an issued bill back by a credit note, and to bill its month anew.

    While it is open its two documents are drafts, drafted anew as more is learned; ``comparison`` keeps both bills'
    lines for good, and ``evidence`` what made it, one item a cause: ``{"cause", "key", "text", "at", ...}``.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"
        LAPSED = "lapsed", "no longer differs"

    class Cause(models.TextChoices):
        READING = "reading", "a reading was replaced"
        GAP = "gap", "a gap was closed"
        CHAIN = "chain", "meters or supply changed"
        TARIFF = "tariff", "a tariff was revised"
        DISPUTE = "dispute", "the customer disputed it"
        MANAGER = "manager", "a manager asked"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    original = models.ForeignKey("billing.Bill", on_delete=models.PROTECT, related_name="proposals")
    credit_note = models.OneToOneField(
        "billing.Bill", on_delete=models.PROTECT, null=True, blank=True, related_name="noted_by"
    )
    replacement = models.OneToOneField(
        "billing.Bill",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="replaces_by",
        help_text="None where the account owes nothing for the month any more.",
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    revision = models.PositiveIntegerField(default=1, help_text="How often it was drafted.")
    cause = models.CharField(max_length=10, choices=Cause.choices, help_text="Of the newest evidence.")
    reason = models.TextField(help_text="What the customer reads.")
    evidence = models.JSONField(default=list)
    comparison = models.JSONField(default=list)
    outcome = models.CharField(max_length=64, help_text="Digest of what it would bill, to know the same again.")
    old_total = models.DecimalField(max_digits=14, decimal_places=2)
    new_total = models.DecimalField(max_digits=14, decimal_places=2, null=True, help_text="None while it is held.")
    difference = models.DecimalField(max_digits=14, decimal_places=2, null=True, help_text="New less old.")
    old_kwh = models.DecimalField(max_digits=18, decimal_places=6)
    new_kwh = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    proposed_at = models.DateTimeField()
    drafted_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True, help_text="Why it was decided so.")

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        verbose_name = "bill correction"
        ordering = ("-proposed_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("original",), condition=models.Q(status="open"), name="correction_one_open_a_bill"
            ),
            models.UniqueConstraint(
                fields=("original",), condition=models.Q(status="approved"), name="correction_one_approved_a_bill"
            ),
            models.CheckConstraint(
                name="correction_open_until_decided",
                condition=models.Q(status="open", decided_at__isnull=True)
                | (~models.Q(status="open") & models.Q(decided_at__isnull=False)),
            ),
        )
        indexes = (models.Index(fields=("status", "-proposed_at"), name="correction_queue"),)

    def __str__(self) -> str:
        return f"Correction of {self.original}"


class Dispute(models.Model):
    """A customer's objection to a bill, with what the bill rested on when it came."""

    class Status(models.TextChoices):
        OPEN = "open"
        READINGS_ASKED = "readings_asked", "waits for readings"
        CORRECTING = "correcting", "correction proposed"
        UPHELD = "upheld"
        REJECTED = "rejected"
        WITHDRAWN = "withdrawn"

    class Reason(models.TextChoices):
        TOO_HIGH = "too_high", "I did not use that much"
        WRONG_READING = "wrong_reading", "A reading is wrong"
        ESTIMATED = "estimated", "It is estimated, and I know better"
        WRONG_PRICE = "wrong_price", "The price or tariff is wrong"
        NOT_MINE = "not_mine", "I did not live there then"
        OTHER = "other", "Something else"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    bill = models.ForeignKey("billing.Bill", on_delete=models.PROTECT, related_name="disputes")
    line = models.ForeignKey(
        "billing.BillLine", on_delete=models.PROTECT, null=True, blank=True, related_name="disputes"
    )
    reason = models.CharField(max_length=15, choices=Reason.choices)
    text = models.TextField()
    status = models.CharField(max_length=15, choices=Status.choices, default=Status.OPEN)
    evidence = models.JSONField(default=dict, help_text="What the bill rested on when it was disputed.")
    correction = models.ForeignKey(Correction, on_delete=models.PROTECT, null=True, blank=True, related_name="disputes")
    answer = models.TextField(blank=True, help_text="What the customer reads.")
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)

    OPEN = (Status.OPEN, Status.READINGS_ASKED, Status.CORRECTING)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("bill",),
                condition=models.Q(status__in=("open", "readings_asked", "correcting")),
                name="dispute_one_open_a_bill",
            ),
        )
        indexes = (models.Index(fields=("status", "-opened_at"), name="dispute_queue"),)

    def __str__(self) -> str:
        return f"Dispute of {self.bill}"

    @property
    def is_open(self) -> bool:
        """Whether it still waits for somebody."""
        return self.status in self.OPEN


class DisputeStep(models.Model):
    """One step of a dispute: who took it, when, and why. Written once."""

    id = models.BigAutoField(primary_key=True)
    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="steps")
    status = models.CharField(max_length=15, choices=Dispute.Status.choices)
    at = models.DateTimeField()
    by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    text = models.TextField(blank=True)

    class Meta:
        ordering = ("dispute", "id")

    def __str__(self) -> str:
        return f"{self.get_status_display()} at {self.at:%Y-%m-%d %H:%M}"
