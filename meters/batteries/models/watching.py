from django.db import models

from meters.batteries.models.registry import Battery


class BatteryLook(models.Model):
    """Up to where a battery was watched: what was heard of it by then needs no other look."""

    battery = models.OneToOneField(Battery, on_delete=models.CASCADE, primary_key=True, related_name="look")
    heard_at = models.DateTimeField(help_text="When what was looked at last was heard.")
    pondered_at = models.DateTimeField(
        null=True, help_text="When its last minutes were looked at, not just its newest values."
    )

    def __str__(self) -> str:
        return f"{self.battery_id} {self.heard_at}"
