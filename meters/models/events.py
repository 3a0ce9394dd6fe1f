from django.db import models


class DomainEvent(models.Model):
    """Something that happened to readings, for apps above to hear of: written in the transaction that did it."""

    class Kind(models.TextChoices):
        READING_SUPERSEDED = "reading_superseded"
        READING_APPROVED = "reading_approved"
        GAP_OPENED = "gap_opened"
        GAP_CLOSED = "gap_closed"
        ESTIMATION_PROLONGED = "estimation_prolonged"
        CHAIN_CHANGED = "chain_changed"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=25, choices=Kind.choices)
    service_point = models.ForeignKey("meters.ServicePoint", on_delete=models.PROTECT, null=True, related_name="+")
    register = models.ForeignKey("meters.Register", on_delete=models.PROTECT, null=True, related_name="+")
    start = models.DateTimeField(null=True, help_text="Of the stretch whose energy it touches.")
    end = models.DateTimeField(null=True)
    data = models.JSONField(default=dict)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class EventDelivery(models.Model):
    """An event on its way to one consumer; in the consumer's own transaction it becomes handled."""

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(DomainEvent, on_delete=models.CASCADE, related_name="deliveries")
    consumer = models.CharField(max_length=40)
    handled_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "event deliveries"
        ordering = ("event",)
        constraints = (models.UniqueConstraint(fields=("event", "consumer"), name="event_delivery_once_a_consumer"),)
        indexes = (
            models.Index(
                fields=("consumer", "event"), name="event_delivery_waiting", condition=models.Q(handled_at=None)
            ),
        )

    def __str__(self) -> str:
        return f"{self.event_id} to {self.consumer}"
