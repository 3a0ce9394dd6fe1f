import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from meters.querysets import RegionQuerySet


class Region(models.Model):
    """A circle on the map that people are responsible for; where two overlap, the nearer centre counts."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        INACTIVE = "inactive"
        MAINTENANCE = "maintenance"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True)
    latitude = models.FloatField(
        validators=[MinValueValidator(-90), MaxValueValidator(90)], help_text="Of its centre, degrees, WGS84."
    )
    longitude = models.FloatField(
        validators=[MinValueValidator(-180), MaxValueValidator(180)], help_text="Of its centre, degrees, WGS84."
    )
    radius_m = models.PositiveIntegerField(help_text="Metres.", validators=[MinValueValidator(1)])
    status = models.CharField(max_length=15, choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RegionQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                name="region_centre_on_the_globe",
                condition=models.Q(latitude__range=(-90, 90), longitude__range=(-180, 180)),
            ),
            models.CheckConstraint(name="region_has_a_radius", condition=models.Q(radius_m__gte=1)),
        )

    def __str__(self) -> str:
        return self.name


class RegionManager(models.Model):
    """A manager's region: who has none looks after all of them."""

    id = models.BigAutoField(primary_key=True)
    region = models.ForeignKey(Region, on_delete=models.CASCADE, related_name="managers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="regions_managed")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("region", "id")
        constraints = (models.UniqueConstraint(fields=("region", "user"), name="region_manager_once"),)

    def __str__(self) -> str:
        return f"{self.user} for {self.region}"
