"""How live readings are written, by source and battery: at hand in memory and never older than seconds."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from energy_portal.shared.errors import Invalid
from meters.batteries.conventions import Terms
from meters.batteries.models import Battery, Convention

_FRESH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Book:
    """The terms of sources, by their keys in the database, and of batteries that have some, by their names.

    A convention that cannot be read stands as its error: nothing is taken by it rather than something wrong.
    """

    by_source: Mapping[int, Terms | Invalid]
    by_battery: Mapping[str, Terms | Invalid]

    def of(self, source_id: int | None, battery: str) -> Terms | None:
        """Return a source's terms, else the battery's; None: as readings are published.

        :raises Invalid: the convention cannot be read.
        """
        found = self.by_source.get(source_id) if source_id is not None else None
        if found is None:
            found = self.by_battery.get(battery)
        if isinstance(found, Invalid):
            raise found
        return found


_held: list[tuple[float, Book]] = []


def terms() -> Book:
    """Return the book: two queries when the last look is seconds old, otherwise none."""
    held = held_terms()
    return read_terms() if held is None else held


def held_terms(longest_seconds: float = _FRESH_SECONDS) -> Book | None:
    """Return what this process knows, None where it is older than it may be."""
    if _held and time.monotonic() - _held[0][0] < longest_seconds:
        return _held[0][1]
    return None


def read_terms() -> Book:
    """Read the book, and keep it unless an open transaction might take it back."""
    moment = time.monotonic()
    conventions = list(Convention.objects.all())
    by_key = {convention.pk: _read(convention) for convention in conventions}
    batteries = Battery.objects.filter(convention__isnull=False).values_list("battery_id", "convention_id")
    book = Book(
        {each.source_id: by_key[each.pk] for each in conventions if each.source_id is not None},
        {battery: by_key[key] for battery, key in batteries if key in by_key},
    )
    if not connection.in_atomic_block:
        _held[:] = [(moment, book)]
    return book


def forget_terms() -> None:
    """Look again at the next call."""
    _held.clear()


def _read(convention: Convention) -> Terms | Invalid:
    try:
        return Terms.of(convention)
    except Invalid as error:
        return error
