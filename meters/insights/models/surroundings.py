from django.db import models


class Weather(models.Model):
    """A temperature somewhere, observed or forecast, and since when it was known; a later word stands beside it."""

    id = models.BigAutoField(primary_key=True)
    region = models.ForeignKey(
        "meters.Region", on_delete=models.CASCADE, null=True, blank=True, related_name="+", help_text="Empty: all."
    )
    time = models.DateTimeField(help_text="The start of the half-hour.")
    temperature_c = models.FloatField()
    known_at = models.DateTimeField(help_text="When it was known: no forecast made earlier may use it.")

    class Meta:
        ordering = ("time", "id")
        verbose_name_plural = "weather"
        constraints = (
            models.UniqueConstraint(
                fields=("region", "time", "known_at"), name="weather_one_a_word", nulls_distinct=False
            ),
        )

    def __str__(self) -> str:
        return f"{self.temperature_c} °C at {self.time:%Y-%m-%d %H:%M}"


class Holiday(models.Model):
    """A day on which people live as on a Sunday."""

    id = models.AutoField(primary_key=True)
    region = models.ForeignKey(
        "meters.Region", on_delete=models.CASCADE, null=True, blank=True, related_name="+", help_text="Empty: all."
    )
    day = models.DateField(help_text="Local.")
    name = models.CharField(max_length=100, blank=True)
    known_at = models.DateTimeField(help_text="When it was known: no forecast made earlier may use it.")

    class Meta:
        ordering = ("day", "id")
        constraints = (
            models.UniqueConstraint(fields=("region", "day"), name="holiday_one_a_day", nulls_distinct=False),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.name}".strip()
