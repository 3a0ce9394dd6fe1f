import uuid

from django.db import models

from meters.devices.querysets import OfDeviceQuerySet


class Command(models.Model):
    """A switch that somebody asked of a device, and what became of it."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        DELIVERED = "delivered"
        EFFECTIVE = "effective"
        NOT_EFFECTIVE = "not_effective", "not effective"
        EXPIRED = "expired"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    device = models.ForeignKey("devices.Device", on_delete=models.PROTECT, related_name="commands")
    switch = models.BooleanField(help_text="On or off.")
    status = models.CharField(max_length=15, choices=Status.choices, default=Status.QUEUED)
    user = models.ForeignKey("accounts.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    source = models.ForeignKey("accounts.DataSource", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, help_text="Why it came to nothing.")

    objects = OfDeviceQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        indexes = (
            models.Index(
                fields=("next_attempt_at",),
                condition=models.Q(status__in=("queued", "sent", "delivered")),
                name="command_open",
            ),
            models.Index(fields=("device", "-created_at"), name="command_by_device"),
        )
        constraints = (
            models.CheckConstraint(
                name="command_by_a_person_or_a_machine",
                condition=models.Q(user=None) | models.Q(source=None),
            ),
        )

    def __str__(self) -> str:
        return f"{self.device}: {'on' if self.switch else 'off'}, {self.status}"


class CommandStep(models.Model):
    """One change of a command's status: its ledger."""

    id = models.BigAutoField(primary_key=True)
    command = models.ForeignKey(Command, on_delete=models.CASCADE, related_name="steps")
    status = models.CharField(max_length=15, choices=Command.Status.choices)
    at = models.DateTimeField()
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.status} at {self.at:%Y-%m-%d %H:%M:%S}"


class MqttCredential(models.Model):
    """A device's login at the broker: only what the broker checks is kept."""

    device = models.OneToOneField(
        "devices.Device", on_delete=models.CASCADE, primary_key=True, related_name="credential"
    )
    password_hash = models.CharField(max_length=200, editable=False, help_text="As Mosquitto keeps it ($7$…).")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.device_id)
