"""Devices' states: what they told last, and whether they are online."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from meters.devices.models import StateMark
from meters.devices.selectors.pulse import PULSE_KEY, PULSES_KEPT
from meters.devices.store import state as store
from meters.devices.store.state import PULSE_SECONDS, Heard, Stretch, Told
from meters.models.alarms import SubjectKind
from meters.selectors.alarm_bounds import alarm_bounds
from meters.services.alarms import Observation, observe

# A writer takes the time of receipt before its transaction begins; so long may it be held up in between.
_SLACK = timedelta(seconds=5)
# A transaction that takes longer than this holds nobody up.
_LONGEST_WAIT = timedelta(seconds=60)
# More than the longest wait and a run's delay: a step always gets beyond what is held up.
_STEP, _LONGEST_STEP = timedelta(seconds=90), timedelta(minutes=16)
_FIRST_LOOK = timedelta(days=1)
_ROUNDS = 500
_AT_ONCE = 50_000
_DAY = timedelta(days=1)
_LATE_FOR = timedelta(days=400)


@dataclass(frozen=True)
class Refreshed:
    """What a run did: how many samples it saw, and up to when all that was received has reached the states."""

    samples: int
    until: datetime | None


def refresh_states(*, now: datetime) -> Refreshed:
    """Bring the states up to date by what was received since the last run, step by step; every few seconds.

    Harmless when several workers do so at once: one has its turn, the others leave at once. What is timed more than a
    day back waits for :func:`refresh_late`.
    """
    return _follow("until", now=now)


def refresh_late(*, now: datetime) -> Refreshed:
    """Do the same for what came late for days that are over; now and then, since it looks at every partition."""
    return _follow("late_until", now=now)


def silence_devices(*, now: datetime) -> int:
    """Call devices offline that have not been heard for ``DEVICE_OFFLINE_SECONDS``; return how many."""
    silent_before = now - timedelta(seconds=settings.DEVICE_OFFLINE_SECONDS)
    total = 0
    while gone := store.silence(silent_before=silent_before, now=now, limit=_AT_ONCE):
        total += gone
        if gone < _AT_ONCE:
            break
    return total


def note_status(*, device_id: str, online: bool, now: datetime) -> bool:
    """Write down that a device said to be online, or that its last will says it is gone.

    :returns: False for a device that is unknown or retired.
    """
    return bool(note_statuses(statuses=[(device_id, online)], now=now))


def note_statuses(*, statuses: Iterable[tuple[str, bool]], now: datetime) -> int:
    """Write down what many devices' statuses say, the last of each; return of how many devices that are in service."""
    last = dict(statuses)
    return store.note(statuses=list(last.items()), now=now) if last else 0


def _follow(mark_name: str, *, now: datetime) -> Refreshed:
    samples, until, step = 0, None, _STEP
    for _ in range(_ROUNDS):
        with transaction.atomic():
            if not store.take_turn():
                break
            mark = StateMark.objects.select_for_update().get()
            low = _start_of_pulse(getattr(mark, mark_name) or now - _FIRST_LOOK)
            high = min(low + step, now)
            # Looked up before the rows are read: who commits in between is either seen, or began later than this.
            settled = _settled(now)
            heard = _advance(mark_name, low=low, high=high, now=now)
            # Before the mark moves: what breaks off in between is looked at again.
            observe(subject_kind=SubjectKind.DEVICE, observations=[_observation(told) for told in heard.told], now=now)
            until = max(low, min(high, settled))
            setattr(mark, mark_name, until)
            mark.save(update_fields=[mark_name])
        samples += heard.samples
        if mark_name == "until":
            _keep_pulse(heard)
        if high == now:
            break
        step = _STEP if heard.samples else min(2 * step, _LONGEST_STEP)
    return Refreshed(samples, until)


def _advance(mark_name: str, *, low: datetime, high: datetime, now: datetime) -> Heard:
    today = datetime.combine(now.astimezone(UTC).date(), time(), tzinfo=UTC)
    since, until = (today - _DAY, today + 2 * _DAY) if mark_name == "until" else (today - _LATE_FOR, today - _DAY)
    return store.advance(
        stretch=Stretch(low, high, since, until),
        silent_before=now - timedelta(seconds=settings.DEVICE_OFFLINE_SECONDS),
        bounds=alarm_bounds(SubjectKind.DEVICE),
    )


def _observation(told: Told) -> Observation:
    return Observation(
        subject=told.device,
        label=told.label,
        quantity=told.quantity,
        value=told.value,
        at=told.at,
        account_id=told.account_id,
        region_id=told.region_id,
    )


def _settled(now: datetime) -> datetime:
    """Return the instant before which nothing received is still on its way into the table."""
    began = store.oldest_writer() or now
    return max(min(began, now) - _SLACK, now - _LONGEST_WAIT)


def _start_of_pulse(instant: datetime) -> datetime:
    """Return where the pulse of an instant begins, so that each is counted whole."""
    seconds = int(instant.timestamp())
    return datetime.fromtimestamp(seconds - seconds % PULSE_SECONDS, tz=UTC)


def _keep_pulse(heard: Heard) -> None:
    """Keep how many samples came when, for the page that shows it: a gauge, not a record."""
    known: dict[int, int] = cache.get(PULSE_KEY) or {}
    known.update(heard.pulse)
    newest = sorted(known)[-PULSES_KEPT:]
    cache.set(PULSE_KEY, {number: known[number] for number in newest}, None)
