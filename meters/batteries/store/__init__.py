from meters.batteries.store.quarters import BATTERY_QUARTERS
from meters.batteries.store.readings import READINGS, is_free, log_touched, mark_shared
from meters.batteries.store.states import note_states
from meters.batteries.store.told import Told, told

ALL_SERIES = (*READINGS.values(), BATTERY_QUARTERS)

__all__ = [
    "ALL_SERIES",
    "BATTERY_QUARTERS",
    "READINGS",
    "Told",
    "is_free",
    "log_touched",
    "mark_shared",
    "note_states",
    "told",
]
