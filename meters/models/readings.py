import uuid
from datetime import datetime

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.timezone import localtime

from meters.models.rules import Severity
from meters.querysets import OfRegisterQuerySet, ReadingExceptionQuerySet


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
        return f"{self.register_id} {_on_the_clock(self.time)} {self.value}"


class SupersededReading(models.Model):
    """A reading that stood once: what was known at an instant is the current rows and these, by their times."""

    class Reason(models.TextChoices):
        CORRECTION = "correction"
        TRUE_DATA = "true_data", "true data came"
        NEW_ESTIMATE = "new_estimate"
        WITHDRAWN = "withdrawn"

    id = models.BigAutoField(primary_key=True)
    register = models.ForeignKey("meters.Register", on_delete=models.PROTECT, db_index=False, related_name="superseded")
    time = models.DateTimeField()
    value = models.DecimalField(max_digits=15, decimal_places=6)
    quality = models.PositiveSmallIntegerField(choices=Quality.choices)
    source = models.ForeignKey(
        "accounts.DataSource",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
    )
    raw_stamp = models.TextField(null=True)
    received_at = models.DateTimeField(help_text="From when on it stood.")
    superseded_at = models.DateTimeField(help_text="Until when it stood.")
    reason = models.CharField(max_length=15, choices=Reason.choices)
    correction = models.ForeignKey(
        "meters.Correction", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded"
    )

    objects = OfRegisterQuerySet.as_manager()

    class Meta:
        ordering = ("register", "time", "superseded_at", "id")
        indexes = (models.Index(fields=("register", "time"), name="superseded_by_register"),)

    def __str__(self) -> str:
        return f"{self.register_id} {_on_the_clock(self.time)} {self.value} until {_on_the_clock(self.superseded_at)}"


class Correction(models.Model):
    """Somebody's change of what stands at an instant of a register, and what it touched.

    ``new_value`` is None where the reading was withdrawn. ``touched`` lists the local days and months whose energy
    changed, in ``unit``: ``{"unit", "days": [{"from", "to", "before", "after"}], "months": [...]}``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    register = models.ForeignKey("meters.Register", on_delete=models.PROTECT, related_name="corrections")
    time = models.DateTimeField()
    old_value = models.DecimalField(max_digits=15, decimal_places=6, null=True)
    old_quality = models.PositiveSmallIntegerField(choices=Quality.choices, null=True)
    new_value = models.DecimalField(max_digits=15, decimal_places=6, null=True)
    new_quality = models.PositiveSmallIntegerField(choices=Quality.choices, null=True)
    reason = models.TextField()
    touched = models.JSONField(default=dict)
    made_at = models.DateTimeField()
    made_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    source = models.ForeignKey("accounts.DataSource", on_delete=models.PROTECT, null=True, related_name="+")

    objects = OfRegisterQuerySet.as_manager()

    class Meta:
        ordering = ("-made_at", "id")

    def __str__(self) -> str:
        return f"{self.register_id} {_on_the_clock(self.time)}: {self.old_value} became {self.new_value}"


class RegisterDay(models.Model):
    """The energy of a register in a local day of its place, summed ahead: a series, partitioned by month of ``time``.

    ``time`` is the day's start, ``until`` its end, cut to the meter's stay at the place. ``energy`` is in the
    register's unit after its multiplier, None unless all of the stretch is known; ``known_energy`` is that of the
    known part. A missing row means that nothing is known.
    """

    pk = models.CompositePrimaryKey("register_id", "time")
    register = models.ForeignKey(
        "meters.Register", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="days"
    )
    time = models.DateTimeField()
    until = models.DateTimeField()
    energy = models.DecimalField(max_digits=15, decimal_places=6, null=True)
    known_energy = models.DecimalField(max_digits=15, decimal_places=6, null=True)
    estimated_energy = models.DecimalField(max_digits=15, decimal_places=6, default=0)
    half_hours_known = models.PositiveSmallIntegerField(default=0)
    quality = models.PositiveSmallIntegerField(choices=Quality.choices, null=True)
    computed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.register_id} {self.time:%Y-%m-%d} {self.energy}"


class RegisterState(models.Model):
    """The newest reading of a register; its row is the lock that orders writers of that register."""

    register = models.OneToOneField("meters.Register", on_delete=models.CASCADE, primary_key=True, related_name="state")
    last_time = models.DateTimeField(null=True, help_text="Of the newest reading that is no estimate.")
    last_value = models.DecimalField(max_digits=15, decimal_places=6, null=True)
    estimated_from = models.DateTimeField(null=True, help_text="Of the earliest estimate that stands.")

    objects = OfRegisterQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.register_id} {self.last_value}"


class ReadingException(models.Model):
    """A value, or a stretch of time, that a rule does not simply let pass: kept until somebody decides.

    ``time`` is the reading's mark, or the start of the stretch that ends at ``until``. A quarantined value has not
    entered: it waits here, with all that its entry needs. Where a dial turned over, an exception that is closed
    already says so: consumption looks for it.
    """

    ROLLOVER = "rollover"

    class Status(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REJECTED = "rejected"
        ESTIMATED = "estimated"
        RECLASSIFIED = "reclassified"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    register = models.ForeignKey("meters.Register", on_delete=models.PROTECT, related_name="exceptions")
    time = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=40)
    severity = models.CharField(max_length=10, choices=Severity.choices, default=Severity.FLAG)
    detail = models.TextField(blank=True)
    offered_value = models.DecimalField(max_digits=15, decimal_places=6, null=True, blank=True)
    offered_quality = models.PositiveSmallIntegerField(choices=Quality.choices, null=True, blank=True)
    raw_stamp = models.TextField(blank=True)
    standing_value = models.DecimalField(max_digits=15, decimal_places=6, null=True, blank=True)
    source = models.ForeignKey("accounts.DataSource", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=15, choices=Status.choices, default=Status.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True)

    objects = ReadingExceptionQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("register", "time", "code", "offered_value"),
                name="reading_exception_once_a_value",
                nulls_distinct=False,
            ),
        )
        indexes = (
            models.Index(fields=("-opened_at",), name="reading_exception_open", condition=models.Q(status="open")),
            models.Index(fields=("register", "time"), name="reading_exception_by_register"),
        )

    def __str__(self) -> str:
        return f"{self.code} on {self.register} at {_on_the_clock(self.time)}"


def _on_the_clock(instant: datetime) -> str:
    return f"{localtime(instant):%Y-%m-%d %H:%M}"
