"""Background work of insights, by topic."""

from meters.insights.tasks import anomalies, faults, scoring, trends

__all__ = ["anomalies", "faults", "scoring", "trends"]
