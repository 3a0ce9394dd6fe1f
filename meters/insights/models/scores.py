from django.db import models

from meters.insights.models.forecasts import Forecast, ForecastModel
from meters.insights.querysets import ScoreDayQuerySet, ScoreQuerySet


class Sums(models.Model):
    """What half-hours add up to, under the names of :class:`meters.insights.tallies.Tally`; ratios are made of sums."""

    half_hours = models.IntegerField(help_text="Whose truth was known.")
    absolute_error = models.FloatField(help_text="Of the medians, in the forecasts' unit.")
    truth = models.FloatField()
    truth_size = models.FloatField(help_text="Of absolute values.")
    median = models.FloatField()
    mean = models.FloatField()
    banded = models.IntegerField(help_text="Half-hours with a band.")
    inside = models.IntegerField(help_text="Half-hours inside of it.")
    measured = models.IntegerField(help_text="Half-hours of series whose usual error is known.")
    measured_error = models.FloatField(help_text="Of the medians, on these.")
    usual_error = models.FloatField(help_text="Of saying what was a day before, on these.")
    scaled_error = models.FloatField(help_text="Errors by the usual error of their series.")
    compared = models.IntegerField(help_text="Half-hours of which the week before is known.")
    compared_error = models.FloatField(help_text="Of the medians, on these.")
    naive_error = models.FloatField(help_text="Of saying what was a week before, on these.")

    class Meta:
        abstract = True


class ForecastScore(Sums):
    """How a day of a forecast did once its truth was known, and how the naive ones would have on the same half-hours.

    The naive ones stand under the model beside which they were computed, so that what is compared is of the same days.
    """

    id = models.BigAutoField(primary_key=True)
    forecast = models.ForeignKey(Forecast, on_delete=models.CASCADE, related_name="scores")
    forecaster = models.CharField(max_length=30)
    is_told = models.BooleanField(help_text="Whether it was what was told, and not computed beside it.")
    model = models.ForeignKey(ForecastModel, on_delete=models.PROTECT, null=True, blank=True, related_name="scores")
    cohort = models.CharField(max_length=40)
    quantity = models.CharField(max_length=15, choices=Forecast.Quantity.choices)
    day = models.DateField(help_text="Local, of the origin.")
    day_ahead = models.PositiveSmallIntegerField(help_text="1: the first 24 h, 2: those after.")
    scored_at = models.DateTimeField()

    objects = ScoreQuerySet.as_manager()

    class Meta:
        ordering = ("-day", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("forecast", "forecaster", "day_ahead"), name="forecast_score_one_a_day_and_forecaster"
            ),
        )
        indexes = (models.Index(fields=("cohort", "is_told", "day_ahead", "day"), name="forecast_score_newest"),)

    def __str__(self) -> str:
        return f"{self.forecast_id} day {self.day_ahead} by {self.forecaster}"


class ScoreDay(Sums):
    """The scores of a day's forecasts in a region and cohort, added up as they come: what pages and charts read."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField(help_text="Local, of the origins.")
    region = models.ForeignKey("meters.Region", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    cohort = models.CharField(max_length=40)
    quantity = models.CharField(max_length=15, choices=Forecast.Quantity.choices)
    forecaster = models.CharField(max_length=30)
    model = models.ForeignKey(ForecastModel, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    day_ahead = models.PositiveSmallIntegerField()
    is_told = models.BooleanField()
    forecasts = models.IntegerField(help_text="How many are in it.")

    objects = ScoreDayQuerySet.as_manager()

    class Meta:
        ordering = ("-day", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("day", "cohort", "quantity", "forecaster", "day_ahead", "is_told", "region", "model"),
                name="score_day_one_a_group",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.cohort} by {self.forecaster}"
