"""The hand-written SQL that reads readings: what stands now, or what stood at an instant of the past.

It lies in the database or in the archive; whoever asks here need not know.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from meters.store import Window
from meters.store_archive import MONTHS, with_archived, with_files

# A sub-select with an order or a limit stays one descent of the key a window, whatever the statistics say.
_WITHIN = """
    WITH asked AS (
        SELECT * FROM unnest(%(registers)s::int4[], %(lows)s::timestamptz[], %(highs)s::timestamptz[])
            AS asked (register_id, low, high)
    ), stay AS (
        SELECT * FROM unnest(%(stay_registers)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
            AS asked (register_id, low, high)
    )
    SELECT register_id, date_part('epoch', time), value, quality FROM (
        SELECT asked.register_id, reading.* FROM asked CROSS JOIN LATERAL (:rows: ORDER BY time) AS reading
        UNION
        SELECT asked.register_id, reading.*
        FROM stay AS asked CROSS JOIN LATERAL (:rows: ORDER BY time LIMIT 1) AS reading
        UNION
        SELECT asked.register_id, reading.*
        FROM stay AS asked CROSS JOIN LATERAL (:rows: ORDER BY time DESC LIMIT 1) AS reading
        UNION ALL :months:
    ) AS found
    ORDER BY 1, 2
"""
_STANDING = """
        SELECT time, value, quality FROM meters_registerreading
        WHERE register_id = asked.register_id AND time BETWEEN asked.low AND asked.high
          AND time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
"""
# Rows that entered later are not there yet, and rows that were superseded later still are.
_STOOD = """
        SELECT time, value, quality FROM meters_registerreading
        WHERE register_id = asked.register_id AND time BETWEEN asked.low AND asked.high
          AND time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
          AND received_at <= %(as_of)s::timestamptz
        UNION ALL
        SELECT time, value, quality FROM meters_supersededreading
        WHERE register_id = asked.register_id AND time BETWEEN asked.low AND asked.high
          AND received_at <= %(as_of)s::timestamptz AND superseded_at > %(as_of)s::timestamptz
"""
_WITHIN_NOW = _WITHIN.replace(":rows:", _STANDING).replace(":months:", MONTHS)
_WITHIN_AS_OF = _WITHIN.replace(":rows:", _STOOD).replace(":months:", MONTHS)


def readings_within(
    windows: Sequence[Window], stays: Sequence[Window], *, as_of: datetime | None = None
) -> list[tuple[int, datetime, Decimal, int]]:
    """Return (register, time, value, quality) of readings inside windows, and of the first and last of each stay.

    In the order of register and time, each once. Served by the partitions' keys: one descent a window and two a stay,
    in the partitions between the lowest and the highest bound; as known at an instant, as many more in the index
    (register, time) of what was superseded. Archived months cost some milliseconds each.

    :param as_of: when they stood; now unless told.
    :raises ArchiveDamaged: a file of the archive is missing or cannot be read.
    """
    if not windows and not stays:
        return []
    parameters: dict[str, Any] = {
        "registers": _array(window.register_id for window in windows),
        "lows": _array(window.low for window in windows),
        "highs": _array(window.high for window in windows),
        "stay_registers": _array(stay.register_id for stay in stays),
        "starts": _array(stay.low for stay in stays),
        "ends": _array(stay.high for stay in stays),
        "lowest": min(window.low for window in (*windows, *stays)),
        "highest": max(window.high for window in (*windows, *stays)),
    }
    statement = _WITHIN_NOW
    if as_of is not None:
        statement, parameters["as_of"] = _WITHIN_AS_OF, as_of

    at = datetime.fromtimestamp

    def read() -> list[tuple[int, datetime, Decimal, int]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            # Seconds become instants several times as fast as the driver reads an instant's text.
            rows = [(owner, at(seconds, UTC), value, quality) for owner, seconds, value, quality in cursor.fetchall()]
        return with_archived(rows, windows, stays, as_of=as_of)

    return with_files(read)


def _array(values: Iterable[object]) -> str:
    """Write numbers and instants as the text of an array, several times as fast as a list is adapted."""
    return "{" + ",".join(map(str, values)) + "}"
