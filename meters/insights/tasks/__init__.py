"""Background work of insights, by topic."""

from meters.insights.tasks import anomalies, scoring

__all__ = ["anomalies", "scoring"]
