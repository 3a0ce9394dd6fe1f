from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """Who did what to which object and when; written with the deed, never changed."""

    at = models.DateTimeField(db_index=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="audit_entries",
    )
    source = models.ForeignKey(
        "accounts.DataSource", on_delete=models.PROTECT, null=True, blank=True, related_name="audit_entries"
    )
    action = models.CharField(max_length=60, help_text="Object and verb, such as bill.issued.")
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=64)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=("object_type", "object_id", "-at"), name="audit_by_object"),)

    def __str__(self) -> str:
        return f"{self.action} {self.object_id}"


class IdempotencyRecord(models.Model):
    """The answer once given to a caller's Idempotency-Key, to be given again to a repeat."""

    caller = models.CharField(max_length=80, help_text="user:<id>, source:<id> or address:<ip>.")
    key = models.CharField(max_length=200)
    path = models.CharField(max_length=200)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("caller", "key"), name="idempotency_one_answer_a_key"),)

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"
