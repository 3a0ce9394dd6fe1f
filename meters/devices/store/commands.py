"""What the gateway asks the database: what devices told after a command was sent, and whose turn it is."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from meters.devices.commanding import Evidence

_ALERT_LOCK = 0x6465_7669_6365_0011

# Each look goes through the key (device, time) of the partitions from the earliest instant on: a few pages a command.
_EVIDENCE = """
SELECT asked.n, switched.switch, powered.power_w
FROM unnest(%(devices)s::int[], %(since)s::timestamptz[]) WITH ORDINALITY AS asked (device_id, since, n)
LEFT JOIN LATERAL (
    SELECT sample.switch FROM devices_devicesample sample
    WHERE sample.device_id = asked.device_id AND sample.time >= asked.since AND sample.time >= %(earliest)s
        AND sample.switch IS NOT NULL
    ORDER BY sample.time DESC LIMIT 1
) switched ON true
LEFT JOIN LATERAL (
    SELECT sample.power_w FROM devices_devicesample sample
    WHERE sample.device_id = asked.device_id AND sample.time >= asked.since AND sample.time >= %(earliest)s
        AND sample.power_w IS NOT NULL
    ORDER BY sample.time DESC LIMIT 1
) powered ON true
ORDER BY asked.n
"""


def evidence_since(asked: Sequence[tuple[int, datetime]]) -> list[Evidence]:
    """Return what each device told last of its switch and its power since an instant, in the order of the question."""
    if not asked:
        return []
    devices, since = zip(*asked, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_EVIDENCE, {"devices": list(devices), "since": list(since), "earliest": min(since)})
        return [Evidence(switch, power_w) for _, switch, power_w in cursor.fetchall()]


def take_alert_turn() -> bool:
    """Be the one that tells of alarms until the transaction ends; false when somebody else is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_ALERT_LOCK])
        taken: bool = cursor.fetchone()[0]
        return taken
