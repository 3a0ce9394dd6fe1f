"""Where a replay stands in a battery's history, and what it tells next: oldest to newest, and again from the start.

Pages of the history are handed in, a few rows at a time; nothing here knows a database or a clock.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from meters.batteries.quantities import System

SHORTEST_INTERVAL_SECONDS, LONGEST_INTERVAL_SECONDS = 0.1, 3600.0
_SHORTEST_SILENCE_SECONDS = 30.0
_INTERVALS_OF_SILENCE = 3
# What decides whether a row is told with the one before it lies one row further on.
_ROWS_AHEAD = 2
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LONGEST_NUMBER = 15


class Mode(StrEnum):
    """Whether a stream tells what comes in, or what once did."""

    LIVE = "live"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class EventId:
    """What an event goes by: ``live-<ms>`` or ``replay-<lap>-<ms>``, the time of its reading in ms since 1970."""

    mode: Mode
    at_ms: int
    lap: int = 0

    @classmethod
    def parse(cls, text: str) -> "EventId | None":
        """Return the id that a client names; None where it is none of ours."""
        mode, *numbers = text.strip().split("-")
        if any(len(word) > _LONGEST_NUMBER or not (word.isascii() and word.isdigit()) for word in numbers):
            return None
        match mode, [int(word) for word in numbers]:
            case Mode.LIVE, [at_ms]:
                return cls(Mode.LIVE, at_ms)
            case Mode.REPLAY, [lap, at_ms] if lap:
                return cls(Mode.REPLAY, at_ms, lap)
        return None

    def __str__(self) -> str:
        return f"live-{self.at_ms}" if self.mode is Mode.LIVE else f"replay-{self.lap}-{self.at_ms}"

    @property
    def end(self) -> datetime | None:
        """The last instant that goes by this id; None where no calendar holds it."""
        try:
            return _UNIX_EPOCH + timedelta(milliseconds=self.at_ms, microseconds=999)
        except OverflowError:
            return None


def in_ms(at: datetime) -> int:
    """Return an instant in whole ms since 1970."""
    return (at - _UNIX_EPOCH) // _MILLISECOND


def patience_seconds(interval: float) -> float:
    """Return for how long a battery may be silent before its stream is no longer live."""
    return max(_SHORTEST_SILENCE_SECONDS, _INTERVALS_OF_SILENCE * interval)


@dataclass(frozen=True, slots=True)
class Row:
    """A reading of the past: its time, and its published JSON."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """A reading that a replay tells."""

    system: System
    id: EventId
    text: str


class _Track:
    """What is held of one system's history."""

    def __init__(self, after: datetime | None) -> None:
        self.rows: deque[Row] = deque()
        self.after = after
        self.is_at_end = False


class Replay:
    """Goes round the history of one system, or of two in step by time: a row of each in a step, none left out.

    What is told in a step is the earliest row, and the other system's where it comes before the next one of the first.

    :param systems: which it tells.
    :param position: the id after which it goes on; None for the start.
    """

    def __init__(self, systems: Sequence[System], position: EventId | None = None) -> None:
        self._lap = position.lap if position else 1
        self._is_whole_lap = position is None
        self._has_told = False
        self._tracks = {system: _Track(position.end if position else None) for system in systems}

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to tell: a whole lap found no row."""
        return self._is_whole_lap and not self._has_told and all(_is_over(track) for track in self._tracks.values())

    def lacks(self) -> list[tuple[System, datetime | None]]:
        """Return of which systems the next rows are needed, each with the instant after which they come."""
        return [
            (system, track.after)
            for system, track in self._tracks.items()
            if len(track.rows) < _ROWS_AHEAD and not track.is_at_end
        ]

    def feed(self, system: System, rows: Sequence[Row], *, is_last: bool) -> None:
        """Take a page of a system's rows, in the order of their times.

        :param is_last: whether there are no further rows behind them.
        """
        track = self._tracks[system]
        track.rows.extend(rows)
        track.is_at_end = is_last
        if rows:
            track.after = rows[-1].at

    def step(self) -> list[Replayed]:
        """Return what is told next, in the order of time; nothing at the end of a lap, after which the next begins.

        Call it while nothing is lacking.
        """
        heads = sorted((track.rows[0].at, system) for system, track in self._tracks.items() if track.rows)
        if not heads:
            if not self.is_empty:
                self._begin_lap()
            return []
        _, leader = heads[0]
        following = self._tracks[leader].rows
        until = following[1].at if len(following) > 1 else None
        return [self._take(system) for at, system in heads if system is leader or until is None or at < until]

    def start_over(self) -> None:
        """Look from the start again, where nothing was found before."""
        self._is_whole_lap, self._has_told = True, False
        self._tracks = {system: _Track(None) for system in self._tracks}

    def _begin_lap(self) -> None:
        # A first lap that was to go on behind the last row has told nothing and counts as over.
        self._lap += 1
        self.start_over()

    def _take(self, system: System) -> Replayed:
        row = self._tracks[system].rows.popleft()
        self._has_told = True
        return Replayed(system, EventId(Mode.REPLAY, in_ms(row.at), self._lap), row.text)


def _is_over(track: _Track) -> bool:
    return track.is_at_end and not track.rows
