"""What customers pay, the bank's files that tell of it, and what they are reminded of."""

import uuid

from django.db import models

from accounts.querysets import OfAccountQuerySet


class Payment(models.Model):
    """An entry of an account's ledger: money that came in, went back, or was taken back; never changed once written."""

    class Kind(models.TextChoices):
        PAYMENT = "payment"
        REFUND = "refund"
        REVERSAL = "reversal"

    class Origin(models.TextChoices):
        MANUAL = "manual", "by hand"
        BANK = "bank", "bank file"
        PROVIDER = "provider", "payment provider"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("accounts.CustomerAccount", on_delete=models.PROTECT, related_name="payments")
    bill = models.ForeignKey(
        "billing.Bill",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        help_text="Which bill the payer named; money settles the oldest first all the same.",
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PAYMENT)
    amount = models.DecimalField(max_digits=14, decimal_places=2, help_text="What came in; below zero what went out.")
    currency = models.CharField(max_length=3)
    received_on = models.DateField(help_text="Local day on which the money moved.")
    booked_at = models.DateTimeField()
    origin = models.CharField(max_length=10, choices=Origin.choices)
    source = models.ForeignKey(
        "accounts.DataSource", on_delete=models.PROTECT, null=True, blank=True, related_name="payments"
    )
    external_id = models.CharField(
        max_length=100, blank=True, help_text="By which whoever reports it knows it; it counts once."
    )
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversed_by")
    reference = models.CharField(max_length=300, blank=True, help_text="What the payer wrote, or why.")
    recorded_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="payments_recorded"
    )

    objects = OfAccountQuerySet.as_manager()

    class Meta:
        ordering = ("-booked_at", "id")
        indexes = (models.Index(fields=("account", "-booked_at", "id"), name="payment_by_account"),)
        constraints = (
            models.UniqueConstraint(
                fields=("origin", "source", "external_id"),
                condition=~models.Q(external_id=""),
                nulls_distinct=False,
                name="payment_counts_once",
            ),
            models.CheckConstraint(name="payment_moves_money", condition=~models.Q(amount=0)),
            models.CheckConstraint(
                name="payment_sign_is_its_kinds",
                condition=models.Q(kind="payment", amount__gt=0, reverses__isnull=True)
                | models.Q(kind="refund", amount__lt=0, reverses__isnull=True)
                | models.Q(kind="reversal", reverses__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.currency} {self.amount} of {self.received_on}"


class BankImport(models.Model):
    """A bank's file: looked at first, and booked by a worker once somebody says so."""

    class Status(models.TextChoices):
        CHECKED = "checked", "checked, not booked"
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done", "booked"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    fingerprint = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the file.")
    file_name = models.CharField(max_length=255)
    options = models.JSONField(default=dict, help_text="How its dates, numbers and columns were read.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.CHECKED)
    lines_total = models.PositiveIntegerField(default=0)
    lines_done = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True, help_text="Why nothing of it could be read.")
    uploaded_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="bank_imports"
    )
    uploaded_at = models.DateTimeField()
    booked_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-uploaded_at", "id")

    def __str__(self) -> str:
        return self.file_name


class BankLine(models.Model):
    """One line of a bank's file, kept as it stood, with what became of it."""

    class Status(models.TextChoices):
        READ = "read", "to be booked"
        BOOKED = "booked"
        WAITING = "waiting", "waits for a decision"
        IGNORED = "ignored"
        DUPLICATE = "duplicate", "known already"
        OUTGOING = "outgoing", "money that went out"
        UNREADABLE = "unreadable"

    id = models.BigAutoField(primary_key=True)
    bank_import = models.ForeignKey(BankImport, on_delete=models.PROTECT, related_name="lines")
    line = models.PositiveIntegerField(help_text="In the file, from 1.")
    raw = models.TextField(help_text="As it stood in the file.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.READ)
    code = models.CharField(max_length=40, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    fingerprint = models.CharField(max_length=100, blank=True, editable=False)
    received_on = models.DateField(null=True, blank=True)
    amount = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    reference = models.TextField(blank=True)
    payer = models.CharField(max_length=300, blank=True)
    bank_id = models.CharField(max_length=100, blank=True, help_text="The bank's own number of it.")
    account = models.ForeignKey(
        "accounts.CustomerAccount", on_delete=models.PROTECT, null=True, blank=True, related_name="bank_lines"
    )
    bill = models.ForeignKey("billing.Bill", on_delete=models.PROTECT, null=True, blank=True, related_name="bank_lines")
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="bank_line")
    decided_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="bank_lines_decided"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("bank_import", "line")
        indexes = (
            models.Index(fields=("status", "id"), name="bank_line_by_status"),
            models.Index(fields=("fingerprint",), name="bank_line_by_fingerprint"),
        )
        constraints = (
            models.UniqueConstraint(fields=("bank_import", "line"), name="bank_line_one_a_place"),
            models.UniqueConstraint(
                fields=("fingerprint",),
                condition=models.Q(status__in=("booked", "waiting", "ignored")) & ~models.Q(fingerprint=""),
                name="bank_line_counts_once",
            ),
            models.CheckConstraint(
                name="bank_line_booked_has_a_payment",
                condition=~models.Q(status="booked") | models.Q(payment__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"line {self.line}"


class Reminder(models.Model):
    """That a bill is overdue, told once a level."""

    class Status(models.TextChoices):
        QUEUED = "queued", "to be sent"
        SENT = "sent"
        DROPPED = "dropped", "no longer needed"
        UNADDRESSED = "unaddressed", "nobody to write to"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    bill = models.ForeignKey("billing.Bill", on_delete=models.PROTECT, related_name="reminders")
    account = models.ForeignKey("accounts.CustomerAccount", on_delete=models.PROTECT, related_name="reminders")
    level = models.PositiveSmallIntegerField()
    open_amount = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    due_on = models.DateField()
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    sent_to = models.TextField(blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = OfAccountQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        constraints = (models.UniqueConstraint(fields=("bill", "level"), name="reminder_once_a_level"),)

    def __str__(self) -> str:
        return f"Reminder {self.level} of {self.bill_id}"
