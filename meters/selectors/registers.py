"""Registers by the names that files give them."""

from collections.abc import Iterable

from meters.models import Register


def units_of(serials: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return the unit of every register of meters, by serial and code. One query."""
    rows = Register.objects.filter(meter__serial__in=list(serials)).order_by()
    return {(serial, code): unit for serial, code, unit in rows.values_list("meter__serial", "code", "unit")}
