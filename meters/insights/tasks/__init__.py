"""Background work of insights, by topic."""

from meters.insights.tasks import anomalies, scoring

__all__ = ["anomalies", "scoring"]
__all__ = ["scoring"]
from meters.insights.tasks import trends

__all__ = ["trends"]
from meters.insights.tasks import scoring, trends

__all__ = ["scoring", "trends"]
