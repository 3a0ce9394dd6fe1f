import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.timezone import localtime

from meters.querysets import JobQuerySet


class ReadingWork(models.Model):
    """What a write of readings leaves to be done: logged in its transaction, deleted in that of whoever did it."""

    class Purpose(models.TextChoices):
        ROLLUP = "rollup"
        VALIDATION = "validation"
        ESTIMATION = "estimation"
        SCORING = "scoring"

    id = models.BigAutoField(primary_key=True)
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    register_ids = ArrayField(models.IntegerField())
    low = models.DateTimeField(help_text="The earliest instant that was written.")
    high = models.DateTimeField(help_text="The latest instant that was written.")
    logged_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("purpose", "id"), name="reading_work_by_purpose"),)

    def __str__(self) -> str:
        return f"{self.purpose} of {len(self.register_ids)} registers"


class Job(models.Model):
    """Long work that somebody asked for and a worker does, with its progress and its report."""

    class Kind(models.TextChoices):
        IMPORT_READINGS = "import_readings"
        IMPORT_BINDINGS = "import_bindings"
        EXPORT_READINGS = "export_readings"
        ARCHIVE = "archive"
        RESTORE_ARCHIVE = "restore_archive"
        ARCHIVE_SAMPLES = "archive_samples"
        RESTORE_SAMPLES = "restore_samples"
        REHEARSAL = "rehearsal"
        IMPORT_BATTERY = "import_battery"
        FORECAST = "forecast"
        TRAIN_FORECASTS = "train_forecasts"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    parameters = models.JSONField(default=dict)
    upload = models.CharField(max_length=255, blank=True, help_text="Its file's name below the upload folder.")
    upload_name = models.CharField(max_length=255, blank=True, help_text="As the sender calls it.")
    result = models.CharField(max_length=255, blank=True, help_text="Its result's name below the upload folder.")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0, help_text="0 while it is not known.")
    report = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, related_name="+")
    source = models.ForeignKey("accounts.DataSource", on_delete=models.PROTECT, null=True, related_name="+")

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {localtime(self.created_at):%Y-%m-%d %H:%M}"


class RegistryChange(models.Model):
    """A change of meters, registers, or of where they hang: what was looked up of them before it is out of date.

    The database writes it, in the transaction of the change.
    """

    id = models.BigAutoField(primary_key=True)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.id} at {self.changed_at:%Y-%m-%d %H:%M:%S}"
