"""Pages of insights."""

from meters.insights.pages.battery import battery

__all__ = ["battery"]
