from django.contrib.postgres.fields import ArrayField
from django.db import models

from billing.models.bills import Bill
from billing.querysets import BillDeliveryQuerySet


class BillDelivery(models.Model):
    """The mail about a document that was issued: made in the transaction of the issue, sent by a worker."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        FAILED = "failed"
        NO_ADDRESS = "no_address", "no address"
        UNWANTED = "unwanted"

    id = models.BigAutoField(primary_key=True)
    bill = models.OneToOneField(Bill, on_delete=models.CASCADE, related_name="delivery")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    queued_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(
        help_text="Not before then; also how long a worker has to itself to send it."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_to = ArrayField(models.EmailField(), default=list, blank=True, help_text="Addresses whose mail went out.")
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True, help_text="Why it is not sent, or not yet.")

    objects = BillDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "bill deliveries"
        ordering = ("-queued_at", "-pk")
        constraints = (
            models.CheckConstraint(
                name="bill_delivery_sent_has_its_time",
                condition=~models.Q(status="sent") | models.Q(sent_at__isnull=False),
            ),
        )
        indexes = (
            models.Index(
                fields=("next_attempt_at", "id"), name="bill_delivery_due", condition=models.Q(status="queued")
            ),
            models.Index(fields=("-queued_at", "-id"), name="bill_delivery_newest"),
        )

    def __str__(self) -> str:
        return f"Mail about {self.bill}"
