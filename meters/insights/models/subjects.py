from django.db import models


class Subject(models.TextChoices):
    """What a series is of; the first three are the kinds that alarms know by the same names."""

    SERVICE_POINT = "service_point", "service point"
    DEVICE = "device"
    BATTERY = "battery"
    ACCOUNT = "account"
    REGION = "region"
    PORTAL = "portal", "everything"


class OfSubject(models.Model):
    """A row about a subject: a service point by its code, a device and a battery as it names itself.

    An account goes by its number, a region by its name; what is about everything has an empty name.
    """

    subject_kind = models.CharField(max_length=15, choices=Subject.choices)
    subject = models.CharField(max_length=64, blank=True)
    label = models.CharField(max_length=150, help_text="What people call it.")
    account = models.ForeignKey(
        "accounts.CustomerAccount", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    region = models.ForeignKey("meters.Region", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        abstract = True
