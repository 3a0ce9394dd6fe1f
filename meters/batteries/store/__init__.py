from meters.batteries.store.readings import READINGS, log_touched, mark_shared
from meters.batteries.store.states import note_states

__all__ = ["READINGS", "log_touched", "mark_shared", "note_states"]
