import uuid

from django.contrib.postgres.fields import DateTimeRangeField
from django.db import models

from billing.querysets import BillQuerySet


class BillRun(models.Model):
    """One calendar month's bills for all accounts: started once, continued where it stopped.

    Its accounts are dealt out in chunks, so that several processes may share it.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    month = models.DateField(unique=True, help_text="First day of the month, in each account's own zone.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    issues = models.BooleanField(default=True, help_text="Otherwise it is a preview: it makes drafts, and issues none.")
    cursor = models.CharField(max_length=40, blank=True, help_text="Number of the last account that was dealt out.")
    accounts_total = models.PositiveIntegerField(default=0)
    accounts_done = models.PositiveIntegerField(default=0)
    bills_issued = models.PositiveIntegerField(default=0)
    bills_held = models.PositiveIntegerField(default=0)
    started_by = models.ForeignKey(
        "accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="bill_runs"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-month",)

    def __str__(self) -> str:
        return f"{self.month:%B %Y}"


class BillRunChunk(models.Model):
    """Accounts of a run that one process bills at one go, by their numbers: those beyond ``after`` up to ``upto``.

    Its row stays locked while that is done, so that a chunk that is neither locked nor done is one whose process died.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(BillRun, on_delete=models.CASCADE, db_index=False, related_name="chunks")
    after = models.CharField(max_length=40, blank=True)
    upto = models.CharField(max_length=40)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("run", "id"), name="bill_run_chunk_in_order"),)

    def __str__(self) -> str:
        return f"{self.run}, up to {self.upto}"


class BillNumberSeries(models.Model):
    """The last number given to a bill of a month; its row is the lock that leaves no gap between numbers."""

    month = models.DateField(primary_key=True)
    last_number = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "bill number series"
        ordering = ("-month",)

    def __str__(self) -> str:
        return f"{self.month:%Y%m}-{self.last_number:06d}"


class Hold(models.TextChoices):
    """Why a draft cannot be issued as it is."""

    NO_METER = "no_meter", "No electricity meter hung there in the period: install one, then run the month again."
    INCOMPLETE_ENERGY = (
        "incomplete_energy",
        "Energy is missing for part of the period: enter or estimate the readings, then run the month again.",
    )
    NO_TARIFF = (
        "no_tariff_in_force",
        "No tariff or tax version is in force for part of the period: add it, then run the month again.",
    )
    ESTIMATED_ENERGY = (
        "estimated_energy",
        "Too much of the energy is estimated: get readings, or rate it with leave to bill estimates.",
    )
    MIXED_CURRENCIES = (
        "mixed_currencies",
        "Tariffs of two currencies are in force in the period: assign tariffs of one, then run the month again.",
    )


class Bill(models.Model):
    """What an account owes for a period, with everything that made it; immutable once issued."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        ISSUED = "issued"
        VOID = "void"
        ARCHIVED = "archived"

    class Kind(models.TextChoices):
        BILL = "bill"
        CREDIT_NOTE = "credit_note"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.BILL)
    corrects = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="corrections",
        help_text="The bill that a credit note takes back, or that a new bill stands in for.",
    )
    number = models.CharField(max_length=40, unique=True, null=True, blank=True, help_text="Given at issue.")
    account = models.ForeignKey("accounts.CustomerAccount", on_delete=models.PROTECT, related_name="bills")
    run = models.ForeignKey(BillRun, on_delete=models.PROTECT, null=True, blank=True, related_name="bills")
    period = DateTimeRangeField(default_bounds="[)")
    month = models.DateField(help_text="First day of the billed month.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    held_because = models.CharField(
        max_length=200, blank=True, choices=Hold.choices, help_text="Why a draft was not issued."
    )
    currency = models.CharField(max_length=3)
    consumption_kwh = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    subtotal = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    tax = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    total = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    complete = models.BooleanField(default=False)
    estimated_share = models.DecimalField(max_digits=5, decimal_places=4, default=0)
    as_of = models.DateTimeField(help_text="When the readings were taken from the register of readings.")
    issued_at = models.DateTimeField(null=True, blank=True)
    due_on = models.DateField(null=True, blank=True, help_text="Local day by which it is to be paid; given at issue.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BillQuerySet.as_manager()

    class Meta:
        ordering = ("-month", "account")
        constraints = (
            models.UniqueConstraint(
                fields=("account", "month"),
                condition=models.Q(kind="bill", status__in=("issued", "archived")),
                name="bill_one_issued_an_account_and_month",
            ),
            models.UniqueConstraint(
                fields=("account", "month"),
                condition=models.Q(kind="bill", status="draft"),
                name="bill_one_draft_an_account_and_month",
            ),
            models.UniqueConstraint(
                fields=("corrects",), condition=models.Q(kind="credit_note"), name="bill_one_credit_note_a_bill"
            ),
            models.CheckConstraint(
                name="bill_credit_note_corrects",
                condition=~models.Q(kind="credit_note") | models.Q(corrects__isnull=False),
            ),
            models.CheckConstraint(
                name="bill_issued_is_whole",
                condition=models.Q(status="draft")
                | models.Q(
                    number__isnull=False,
                    issued_at__isnull=False,
                    consumption_kwh__isnull=False,
                    subtotal__isnull=False,
                    tax__isnull=False,
                    total=models.F("subtotal") + models.F("tax"),
                ),
            ),
        )

    def __str__(self) -> str:
        return self.number or f"Draft {self.month:%B %Y}"


class BillLine(models.Model):
    """One line: a quantity at a rate, or a tax on the lines above it; of a credit note, what it takes back."""

    class Kind(models.TextChoices):
        ENERGY = "energy"
        EXPORT = "export"
        DEMAND = "demand"
        FIXED = "fixed"
        MINIMUM = "minimum"
        TAX = "tax"

    id = models.BigAutoField(primary_key=True)
    bill = models.ForeignKey(Bill, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    description = models.CharField(max_length=200)
    service_point = models.ForeignKey(
        "meters.ServicePoint", on_delete=models.PROTECT, null=True, blank=True, related_name="bill_lines"
    )
    tariff_version = models.ForeignKey(
        "billing.TariffVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="bill_lines"
    )
    component = models.ForeignKey(
        "billing.TariffComponent", on_delete=models.PROTECT, null=True, blank=True, related_name="bill_lines"
    )
    tax_version = models.ForeignKey(
        "billing.TaxVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="bill_lines"
    )
    period = DateTimeRangeField(default_bounds="[)")
    quantity = models.DecimalField(
        max_digits=18, decimal_places=6, help_text="kWh, kW, days or months, or the taxed amount."
    )
    unit = models.CharField(max_length=10)
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    detail = models.JSONField(
        default=dict, blank=True, help_text="Of its component: the period by its number, and the tier by its limits."
    )
    reads = models.JSONField(default=list, blank=True, help_text="The register reads that the quantity follows from.")

    class Meta:
        ordering = ("bill", "position")
        constraints = (models.UniqueConstraint(fields=("bill", "position"), name="bill_line_one_a_position"),)

    def __str__(self) -> str:
        return self.description
