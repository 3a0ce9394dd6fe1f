"""Background work of insights, by topic."""

from meters.insights.tasks import anomalies, faults, forecasts, scoring, trends

__all__ = ["anomalies", "faults", "forecasts", "scoring", "trends"]
