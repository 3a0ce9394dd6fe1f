from django.db import models


class ArchivedMonth(models.Model):
    """A partition of a series that lies in a file: where it is, and what was verified of it."""

    id = models.BigAutoField(primary_key=True)
    table = models.CharField(max_length=63)
    low = models.DateTimeField()
    high = models.DateTimeField(help_text="Not included.")
    path = models.CharField(max_length=255, help_text="Below the archive folder.")
    rows = models.BigIntegerField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the file.")
    manifest = models.JSONField(default=dict)
    revision = models.PositiveSmallIntegerField(default=1)
    archived_at = models.DateTimeField()

    class Meta:
        ordering = ("table", "low")
        constraints = (models.UniqueConstraint(fields=("table", "low"), name="archived_month_once"),)

    def __str__(self) -> str:
        return f"{self.table} {self.low:%Y-%m}"
