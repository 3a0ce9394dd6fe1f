"""Arrays as PostgreSQL reads them."""

from collections.abc import Iterable


def array_text(values: Iterable[object]) -> str:
    """Write numbers and instants as the text of an array, NULL for None: much faster than a list is adapted."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"
