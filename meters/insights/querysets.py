"""Who may see which insights: whoever may see the alarms of the same subjects."""

from typing import Self

from meters.querysets import AlarmQuerySet


class InsightQuerySet(AlarmQuerySet):
    """Forecasts, anomalies and faults: rows about subjects; who would hear of an alarm there may see them."""

    def open(self) -> Self:
        """Keep those that are not over."""
        return self.exclude(state="closed")
