"""What a database holds, in few figures that a backup states and a restored copy must show again."""

import hashlib
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from psycopg import sql

from energy_portal.management.safekeeping import store
from energy_portal.management.safekeeping.server import Connection

# A database in which these are empty holds nothing that anybody entered.
_ENTERED = (
    "accounts_user",
    "accounts_customeraccount",
    "meters_meter",
    "meters_registerreading",
    "billing_bill",
    "devices_device",
)


@dataclass(frozen=True)
class MonthTotals:
    """The bills of a month in one status and currency; the sums are decimals as text, none where no bill has one."""

    month: str
    status: str
    currency: str
    bills: int
    subtotal: str | None
    tax: str | None
    total: str | None

    @property
    def key(self) -> tuple[str, str, str]:
        """Say which bills these are."""
        return self.month, self.status, self.currency


@dataclass(frozen=True)
class NewestReadings:
    """How many registers have a reading, the newest of all, and a digest over each register's newest."""

    registers: int
    newest: str | None
    sha256: str


@dataclass(frozen=True)
class Inventory:
    """The figures of one database, as of one instant.

    ``rows`` counts each table that stores rows, so each partition by itself; ``partitions`` holds, by its parent
    and its name, the bounds of each.
    """

    migrations: tuple[str, ...]
    rows: dict[str, int]
    partitions: dict[str, dict[str, str]]
    bills: tuple[MonthTotals, ...]
    newest_readings: NewestReadings

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Inventory":
        """Read what ``as_json`` returned.

        :raises KeyError: a part is missing.
        :raises TypeError: a part is of another shape.
        """
        return cls(
            migrations=tuple(found["migrations"]),
            rows=dict(found["rows"]),
            partitions={parent: dict(children) for parent, children in found["partitions"].items()},
            bills=tuple(MonthTotals(**month) for month in found["bills"]),
            newest_readings=NewestReadings(**found["newest_readings"]),
        )


def take_inventory(connection: Connection) -> Inventory:
    """Count what a database of the portal holds; run it in one snapshot."""
    partitions: dict[str, dict[str, str]] = {}
    for parent, child, bounds in connection.execute(store.PARTITIONS):
        partitions.setdefault(parent, {})[child] = bounds
    return Inventory(
        migrations=tuple(name for (name,) in connection.execute(store.MIGRATIONS)),
        rows={table: _count(connection, table) for table in tables(connection)},
        partitions=partitions,
        bills=month_totals(connection),
        newest_readings=_newest_readings(connection),
    )


def tables(connection: Connection) -> list[str]:
    """List the tables that store rows; of a partitioned one its partitions."""
    return [name for (name,) in connection.execute(store.TABLES).fetchall()]


def month_totals(connection: Connection, *, from_lines: bool = False) -> tuple[MonthTotals, ...]:
    """Sum the bills by month, status and currency: as they state it, or from their lines."""
    query = store.MONTHS_FROM_LINES if from_lines else store.MONTHS
    return tuple(
        MonthTotals(month, status, currency, bills, *(_text(amount) for amount in amounts))
        for month, status, currency, bills, *amounts in connection.execute(query)
    )


def is_empty(connection: Connection) -> bool:
    """Tell whether a database holds nothing that anybody entered; one without the portal's tables does not."""
    (held,) = connection.execute(store.HELD_TABLES, [list(_ENTERED)]).fetchone() or ([],)
    return not any(
        (connection.execute(_of_table(store.HOLDS_ROWS, table)).fetchone() or (False,))[0] for table in held or ()
    )


def _count(connection: Connection, table: str) -> int:
    (rows,) = connection.execute(_of_table(store.COUNT_ROWS, table)).fetchone() or (0,)
    return int(rows)


def _of_table(query: Any, table: str) -> sql.Composed:
    return sql.SQL(query).format(table=sql.Identifier("public", table))


def _newest_readings(connection: Connection) -> NewestReadings:
    digest = hashlib.sha256()
    count, newest = 0, None
    for register, time, value in connection.execute(store.NEWEST_READINGS):
        digest.update(f"{register} {time.isoformat()} {value}\n".encode())
        count += 1
        newest = max(newest, time) if newest else time
    return NewestReadings(registers=count, newest=newest.isoformat() if newest else None, sha256=digest.hexdigest())


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
