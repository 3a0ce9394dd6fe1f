import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from meters.insights.models.subjects import OfSubject
from meters.insights.querysets import InsightQuerySet
from meters.series.fields import RealField


class ForecastModel(models.Model):
    """A model that was taught by many series together; one of a cohort is active, the ones before can come back."""

    class State(models.TextChoices):
        CANDIDATE = "candidate"
        ACTIVE = "active"
        RETIRED = "retired"
        REJECTED = "rejected", "scored worse"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    cohort = models.CharField(max_length=40, help_text="Whose series taught it, and whom it serves.")
    version = models.PositiveIntegerField()
    algorithm = models.CharField(max_length=30, help_text="As the registry of forecasters calls it.")
    seed = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.CANDIDATE)
    trained_at = models.DateTimeField()
    trained_until = models.DateTimeField(help_text="Nothing at or after this instant taught it.")
    series = models.PositiveIntegerField(help_text="How many taught it.")
    origins = models.PositiveIntegerField(help_text="Days, over all of them.")
    measured = models.JSONField(default=dict, help_text="How it did on days that were held back.")
    made_with = models.CharField(max_length=100, help_text="The versions of the libraries that can read it.")
    content = models.BinaryField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the content.")
    reason = models.TextField(blank=True, help_text="Why it is in its state.")
    changed_at = models.DateTimeField(help_text="When it came into its state.")

    class Meta:
        ordering = ("cohort", "-version")
        constraints = (
            models.UniqueConstraint(fields=("cohort", "version"), name="forecast_model_one_a_version"),
            models.UniqueConstraint(
                fields=("cohort",), condition=models.Q(state="active"), name="forecast_model_one_active_a_cohort"
            ),
        )

    def __str__(self) -> str:
        return f"{self.cohort} {self.version}"


class Forecast(OfSubject):
    """What was expected of a subject from an origin on; nothing at or after the origin was known to it.

    Arrays hold a value a half-hour from ``origin`` on (92 to 100: two local days), in ``unit``; they are empty where a
    forecast was refused, and the band is where the model can tell none.
    """

    class Quantity(models.TextChoices):
        ENERGY = "energy_kwh", "energy (kWh)"
        SOC = "soc_percent", "state of charge (%)"

    class Reason(models.TextChoices):
        """Why it was refused, or somebody else than the model spoke."""

        NONE = "", "—"
        NO_DATA = "no_data", "nothing is known of the weeks before"
        GAPS = "gaps", "too much is missing in the weeks before"
        COLD_START = "cold_start", "too short a past for the model"
        FLAT = "flat", "nothing was used in the weeks before"
        NO_MODEL = "no_model", "no model was taught yet"

    id = models.BigAutoField(primary_key=True)
    quantity = models.CharField(max_length=15, choices=Quantity.choices, default=Quantity.ENERGY)
    cohort = models.CharField(max_length=40, help_text="With whom it is compared, as service_point:household.")
    zone = models.CharField(max_length=64, help_text="IANA: whose midnight the origin is.")
    origin = models.DateTimeField()
    issued_at = models.DateTimeField()
    known_until = models.DateTimeField(null=True, help_text="The end of the newest half-hour that was known.")
    median = ArrayField(RealField(), default=list, blank=True)
    mean = ArrayField(RealField(), default=list, blank=True)
    low = ArrayField(RealField(), default=list, blank=True, help_text="Ten in a hundred are below.")
    high = ArrayField(RealField(), default=list, blank=True, help_text="Ten in a hundred are above.")
    day_naive_mae = models.FloatField(null=True, help_text="What MASE divides by, known at the origin.")
    forecaster = models.CharField(max_length=30, blank=True, help_text="Who spoke: blend, weekday_means, week_naive.")
    model = models.ForeignKey(ForecastModel, on_delete=models.PROTECT, null=True, blank=True, related_name="forecasts")
    reason = models.CharField(max_length=15, choices=Reason.choices, blank=True)
    reason_text = models.TextField(blank=True, help_text="In plain words.")
    scored_until = models.DateTimeField(null=True, help_text="Up to when its truth was looked at.")
    look_again_at = models.DateTimeField(null=True, help_text="When its truth is looked at again; empty: no more.")

    objects = InsightQuerySet.as_manager()

    class Meta:
        ordering = ("-origin", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("subject_kind", "subject", "quantity", "origin"), name="forecast_one_an_origin"
            ),
        )
        indexes = (
            models.Index(fields=("-origin", "id"), name="forecast_newest"),
            models.Index(fields=("origin",), condition=models.Q(scored_until=None), name="forecast_not_scored"),
            models.Index(
                fields=("look_again_at",),
                condition=models.Q(look_again_at__isnull=False),
                name="forecast_to_look_at",
            ),
        )

    def __str__(self) -> str:
        return f"{self.label} from {self.origin:%Y-%m-%d %H:%M}"
