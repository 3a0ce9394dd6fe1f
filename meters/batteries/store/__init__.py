from meters.batteries.store.readings import READINGS, log_touched, mark_shared
from meters.batteries.store.states import note_states
from meters.batteries.store.told import Told, told

__all__ = ["READINGS", "Told", "log_touched", "mark_shared", "note_states", "told"]
