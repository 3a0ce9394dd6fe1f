"""What stands of registers around instants, for whoever judges a value between its neighbours. States are locked."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from meters import store
from meters.consumption import ESTIMATES
from meters.models import ChainEvent
from meters.services.judging import Standing
from meters.validation import Known, Rank, windows_of

RANKS: dict[str, Rank] = {ChainEvent.Kind.INSTALLED: Rank.INSTALLED, ChainEvent.Kind.REMOVED: Rank.REMOVED}


def standing_around(times: Mapping[int, Sequence[datetime]], states: Mapping[int, store.State]) -> dict[int, Standing]:
    """Return what stands around sorted instants of registers. Three queries at most.

    Where nothing can stand at or after the first of them but the register's newest reading, that is all.
    """
    standing = {register_id: Standing() for register_id in times}
    windows: list[store.Window] = []
    for register_id, instants in times.items():
        last_time, _, estimated_from = states[register_id]
        asked = [
            time for time in instants if estimated_from is not None or (last_time is not None and time <= last_time)
        ]
        windows += (store.Window(register_id, low, high) for low, high in windows_of(asked))
    found = store.readings_around(windows)
    for register_id, time, value, quality in (*found, *store.archive.archived_around(windows, found)):
        standing[register_id].qualities[time] = quality
        if quality in ESTIMATES:
            standing[register_id].estimates[time] = value
        else:
            standing[register_id].true.append(Known(time, value))
    for register_id, at, kind, value in _event_reads({window.register_id for window in windows}):
        standing[register_id].true.append(Known(at, value, RANKS.get(kind, Rank.FIELD)))
    for register_id, around in standing.items():
        last_time, last_value, _ = states[register_id]
        if last_time is not None and last_value is not None and all(known.time != last_time for known in around.true):
            around.true.append(Known(last_time, last_value))
    return standing


def _event_reads(register_ids: Iterable[int]) -> list[tuple[int, datetime, str, Decimal]]:
    ids = list(register_ids)
    if not ids:
        return []
    events = ChainEvent.objects.filter(register_id__in=ids, value__isnull=False)
    return list(events.order_by().values_list("register_id", "at", "kind", "value"))
