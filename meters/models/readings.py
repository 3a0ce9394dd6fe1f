import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from meters.querysets import OfRegisterQuerySet


class Quality(models.IntegerChoices):
    """Green Button's quality of reading (NAESB REQ.21, QualityOfReading)."""

    VALID = 0
    EDITED = 7
    REFERENCE_DAY = 8
    LINEAR = 9
    QUESTIONABLE = 10
    DERIVED = 11
    PROJECTED = 12
    RAW = 14
    VALIDATED = 17
    VERIFIED = 18
    REVENUE = 19


class RegisterReading(models.Model):
    """What a register showed at an instant: a series, partitioned by month (UTC) of ``time``.

    The key is (register, time). Values are Decimal in the register's own unit, before its multiplier.
    """

    pk = models.CompositePrimaryKey("register_id", "time")
    register = models.ForeignKey(
        "meters.Register",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="readings",
    )
    time = models.DateTimeField()
    value = models.DecimalField(max_digits=15, decimal_places=6)
    quality = models.PositiveSmallIntegerField(choices=Quality.choices, default=Quality.VALIDATED)
    source = models.ForeignKey(
        "accounts.DataSource",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
    )
    raw_stamp = models.TextField(null=True, help_text="The source's own stamp, where it names another instant.")
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (BrinIndex(fields=("time",), name="registerreading_time_brin", autosummarize=True),)

    def __str__(self) -> str:
        return f"{self.register_id} {self.time:%Y-%m-%d %H:%M} {self.value}"


class RegisterState(models.Model):
    """The newest reading of a register; its row is the lock that orders writers of that register."""

    register = models.OneToOneField("meters.Register", on_delete=models.CASCADE, primary_key=True, related_name="state")
    last_time = models.DateTimeField(null=True)
    last_value = models.DecimalField(max_digits=15, decimal_places=6, null=True)

    objects = OfRegisterQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.register_id} {self.last_value}"


class ReadingException(models.Model):
    """A value that did not simply enter: kept with its reason until somebody decides.

    Where a dial turned over, an exception that is closed already says so: consumption looks for it.
    """

    ROLLOVER = "rollover"

    class Status(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    register = models.ForeignKey("meters.Register", on_delete=models.PROTECT, related_name="exceptions")
    time = models.DateTimeField()
    code = models.CharField(max_length=40)
    offered_value = models.DecimalField(max_digits=15, decimal_places=6)
    standing_value = models.DecimalField(max_digits=15, decimal_places=6, null=True, blank=True)
    source = models.ForeignKey("accounts.DataSource", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True)

    objects = OfRegisterQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("register", "time", "code", "offered_value"), name="reading_exception_once_a_value"
            ),
        )
        indexes = (
            models.Index(fields=("-opened_at",), name="reading_exception_open", condition=models.Q(status="open")),
        )

    def __str__(self) -> str:
        return f"{self.code} on {self.register} at {self.time:%Y-%m-%d %H:%M}"
