"""Partitions of the register readings, made before they are needed."""

from datetime import datetime


def make_partitions_ahead(*, now: datetime) -> list[str]:
    """Make the partitions of the current and the next three months; return the names of those made."""
    raise NotImplementedError
