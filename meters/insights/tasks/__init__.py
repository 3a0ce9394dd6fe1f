"""Background work of insights, by topic."""

from meters.insights.tasks import scoring

__all__ = ["scoring"]
