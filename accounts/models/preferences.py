import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class NotificationKind(models.TextChoices):
    """What people are told by e-mail."""

    BILL_ISSUED = "bill_issued", _("A bill is issued")
    REMINDER = "reminder", _("A bill is not paid yet")
    ALARM = "alarm", _("An alarm is raised or over")
    ANOMALY = "anomaly", _("Unusual use is noticed")
    CORRECTION = "correction", _("A bill is corrected")
    HOUSEHOLD = "household", _("Somebody joins or leaves the household")


class NotificationChoice(models.Model):
    """Whether somebody wants to be told of a kind; where they did not choose, their right decides."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_choices")
    kind = models.CharField(max_length=20, choices=NotificationKind.choices)
    wanted = models.BooleanField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("user", "kind")
        constraints = (models.UniqueConstraint(fields=("user", "kind"), name="notification_one_choice_a_kind"),)

    def __str__(self) -> str:
        return f"{self.kind}: {'yes' if self.wanted else 'no'}"
