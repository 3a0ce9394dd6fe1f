"""A restore for practice: beside the live database, reckoned anew, compared, and dropped."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, LiteralString

from energy_portal.management.safekeeping import store
from energy_portal.management.safekeeping.archived import (
    ArchivedPart,
    NewestReading,
    archived_parts,
    not_archived,
    unreadable_parts,
)
from energy_portal.management.safekeeping.inventory import Inventory, MonthTotals, month_totals, take_inventory
from energy_portal.management.safekeeping.restore import checked_backup, restored_beside
from energy_portal.management.safekeeping.server import Connection, Server
from energy_portal.management.safekeeping.steps import Steps

_DIFFERENCES_TOLD = 20
_BILLS_AT_ONCE = 5_000


@dataclass(frozen=True)
class Check:
    """One comparison: how many things it looked at, and what differed, told up to a limit."""

    name: str
    compared: int
    differences: tuple[str, ...]


def drill(folder: Path, *, steps: Steps) -> list[Check]:
    """Restore a backup into a temporary database and compare it with the manifest and with the live bills.

    :raises SafekeepingFailed: the backup is not whole, or cannot be restored.
    """
    folder = folder.resolve()
    manifest = checked_backup(folder, steps)
    server = Server.configured()
    with (
        server.maintained() as maintenance,
        restored_beside(folder, manifest, server, maintenance, purpose="drill", steps=steps) as name,
        steps.step("Comparing"),
        server.connect(name) as restored,
        server.connect() as live,
    ):
        found = take_inventory(restored)
        archived = archived_parts(restored)
        return [
            _check_files(len(manifest.files)),
            _rows(manifest.inventory, found),
            _partitions(manifest.inventory, found),
            _archived(archived, folder),
            _newest_readings(manifest.inventory, found, _without_reading(restored, archived, folder)),
            _months("Bill totals by month", manifest.inventory.bills, found.bills),
            _months("… from the lines", manifest.inventory.bills, month_totals(restored, from_lines=True)),
            _bills_against_lines(found, restored),
            _mispriced_lines(found, restored),
            _live_bills(restored, live),
        ]


def _check_files(count: int) -> Check:
    # A difference among them ended the drill before.
    return Check("Checksums of files", count, ())


def _rows(expected: Inventory, found: Inventory) -> Check:
    return Check("Rows of tables", len(expected.rows), _unequal(expected.rows, found.rows, "rows"))


def _partitions(expected: Inventory, found: Inventory) -> Check:
    return Check(
        "Partitions",
        sum(len(children) for children in expected.partitions.values()),
        _unequal(_flat(expected.partitions), _flat(found.partitions), "bounds"),
    )


def _flat(partitions: dict[str, dict[str, str]]) -> dict[str, str]:
    return {
        f"{parent}/{child}": bounds for parent, children in partitions.items() for child, bounds in children.items()
    }


def _archived(parts: list[ArchivedPart], folder: Path) -> Check:
    return Check("Archived files", len(parts), tuple(unreadable_parts(parts, folder)[:_DIFFERENCES_TOLD]))


def _without_reading(restored: Connection, parts: list[ArchivedPart], folder: Path) -> list[NewestReading]:
    """Return the registers whose newest reading is neither in the database nor in the archive."""
    lacking = [NewestReading(*row) for row in restored.execute(store.STATES_WITHOUT_READING)]
    return not_archived(lacking, parts, folder)


def _newest_readings(expected: Inventory, found: Inventory, lacking: list[NewestReading]) -> Check:
    wrong = []
    if expected.newest_readings != found.newest_readings:
        wrong.append(f"{expected.newest_readings} in the backup, {found.newest_readings} restored")
    wrong += [
        f"register {register}: its newest reading, {value} at {time.isoformat()}, is not there"
        for register, time, value in lacking[:_DIFFERENCES_TOLD]
    ]
    return Check("Newest readings", expected.newest_readings.registers, tuple(wrong))


def _months(name: str, expected: Iterable[MonthTotals], found: Iterable[MonthTotals]) -> Check:
    stated = {" ".join(month.key): _amounts(month) for month in expected}
    return Check(name, len(stated), _unequal(stated, {" ".join(month.key): _amounts(month) for month in found}, ""))


def _amounts(month: MonthTotals) -> str:
    return f"{month.bills} bills, {month.subtotal} + {month.tax} = {month.total}"


def _bills_against_lines(found: Inventory, restored: Connection) -> Check:
    return Check(
        "Bills against lines",
        found.rows["billing_bill"],
        tuple(
            f"{bill} states {subtotal} + {tax} = {total}, its lines make {lines_subtotal} + {lines_tax}"
            for bill, subtotal, tax, total, lines_subtotal, lines_tax in _some(restored, store.BILLS_AGAINST_LINES)
        ),
    )


def _mispriced_lines(found: Inventory, restored: Connection) -> Check:
    return Check(
        "Quantities at their rates",
        found.rows["billing_billline"],
        tuple(
            f"{bill} line {position} states {stated}, its quantity at its rate is {due}"
            for bill, position, stated, due in _some(restored, store.LINES_MISPRICED)
        ),
    )


def _live_bills(restored: Connection, live: Connection) -> Check:
    """Compare issued bills that stand in both; one that is void or gone today says nothing about the backup."""
    compared = 0
    wrong: list[str] = []
    for ours, theirs in _paired(_bills(restored), _bills(live)):
        compared += 1
        if ours != theirs and len(wrong) < _DIFFERENCES_TOLD:
            wrong.append(f"{ours[1]}: {_money(ours)} in the backup, {_money(theirs)} live")
    return Check("Live bills that stand", compared, tuple(wrong))


def _bills(connection: Connection) -> Iterator[tuple[Any, ...]]:
    with connection.cursor(name="standing_bills") as cursor:
        cursor.itersize = _BILLS_AT_ONCE
        yield from cursor.execute(store.STANDING_BILLS)


def _paired(
    left: Iterator[tuple[Any, ...]], right: Iterator[tuple[Any, ...]]
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Join two streams in the order of their first column."""
    with suppress(StopIteration):
        one, other = next(left), next(right)
        while True:
            if one[0] == other[0]:
                yield one, other
                one, other = next(left), next(right)
            elif one[0] < other[0]:
                one = next(left)
            else:
                other = next(right)


def _money(bill: tuple[Any, ...]) -> str:
    _, number, _, month, _, currency, kwh, subtotal, tax, total, _ = bill
    return f"{number} of {month:%Y-%m}, {kwh} kWh, {subtotal} + {tax} = {total} {currency}"


def _unequal(expected: dict[str, Any], found: dict[str, Any], what: str) -> tuple[str, ...]:
    return tuple(
        f"{name}: {expected.get(name, 'no')} {what} in the backup, {found.get(name, 'none')} restored"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    )[:_DIFFERENCES_TOLD]


def _some(connection: Connection, query: LiteralString) -> list[tuple[Any, ...]]:
    return list(islice(connection.execute(query), _DIFFERENCES_TOLD))
