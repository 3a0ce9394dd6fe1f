"""Background work of insights, by topic."""

from meters.insights.tasks import anomalies, scoring, trends

__all__ = ["anomalies", "scoring", "trends"]
