from django.db import models

from meters.batteries.models.registry import Battery


class BatteryImport(models.Model):
    """What was asked of some files of one of a battery's systems, and how far it is done.

    The same files on the same terms are the same import: it goes on where it was left.
    """

    id = models.BigAutoField(primary_key=True)
    battery = models.ForeignKey(Battery, on_delete=models.CASCADE, related_name="imports")
    system = models.CharField(max_length=3)
    key = models.CharField(max_length=64, help_text="SHA-256 of the files' checksums, what they hold, and the terms.")
    terms = models.JSONField(default=dict)
    done_until = models.DateTimeField(null=True, blank=True, help_text="Rows before this are stored.")
    stored = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    conflicts = models.BigIntegerField(default=0)
    report = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-started_at", "id")
        constraints = (
            models.UniqueConstraint(name="battery_import_once", fields=("battery", "system", "key")),
            models.CheckConstraint(name="battery_import_of_a_system", condition=models.Q(system__in=("bms", "pcs"))),
        )

    def __str__(self) -> str:
        return f"{self.system} of {self.battery_id}, {self.started_at:%Y-%m-%d %H:%M}"


class ImportedFile(models.Model):
    """A file of an import."""

    id = models.BigAutoField(primary_key=True)
    battery_import = models.ForeignKey(BatteryImport, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    lines = models.BigIntegerField()
    bad_lines = models.BigIntegerField()

    class Meta:
        ordering = ("battery_import", "name")
        indexes = (models.Index(fields=("sha256",), name="imported_file_by_sum"),)

    def __str__(self) -> str:
        return self.name
