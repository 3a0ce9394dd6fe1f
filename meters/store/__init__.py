"""The hand-written SQL of meters, and the archive beside it: the one home of both, by topic."""

from meters.store import archive, days, door, gaps, profiles, reads
from meters.store.door import State
from meters.store.registers import (
    REGISTER_READINGS,
    Window,
    count_expected,
    count_received,
    lock_outbox,
    places_of,
    readings_around,
    supersede,
)
from meters.store.states import add_states, advance_states, lock_states, refresh_estimated, refresh_states

__all__ = [
    "REGISTER_READINGS",
    "State",
    "Window",
    "add_states",
    "advance_states",
    "archive",
    "count_expected",
    "count_received",
    "days",
    "door",
    "gaps",
    "lock_outbox",
    "lock_states",
    "places_of",
    "profiles",
    "readings_around",
    "reads",
    "refresh_estimated",
    "refresh_states",
    "supersede",
]
