"""What one client is told and when: live readings while there are any, otherwise the history, round and round."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from channels.db import database_sync_to_async
from django.utils import timezone

from meters.batteries.quantities import System
from meters.batteries.replaying import EventId, Mode, Replay, in_ms, patience_seconds
from meters.batteries.selectors.history import (
    PAGE_ROWS,
    Heard,
    last_heard,
    row_at,
    rows_after,
    rows_missed,
)
from meters.batteries.streams import events
from meters.batteries.streams.events import Event
from meters.batteries.streams.listener import Listener
from meters.batteries.streams.wishes import Wish
from meters.consumers import alarm_row

HEARTBEAT_SECONDS = 12.0
# Readings come a little sooner or later than a second after each other; they are not to be left out for it.
_SHARE_OF_AN_INTERVAL = 0.95
_Answer = TypeVar("_Answer")


class Feed:
    """Tells a client of a battery, for as long as its listener goes on.

    :param about: what it is told of the battery first.
    """

    def __init__(self, listener: Listener, wish: Wish, about: Mapping[str, object]) -> None:
        self._listener = listener
        self._wish = wish
        self._about = about
        self._battery_pk = listener.listening.battery_pk
        self._time = asyncio.get_running_loop().time
        self._mode = wish.mode or Mode.REPLAY
        self._may_live = wish.mode is not Mode.REPLAY
        self._patience = math.inf if wish.mode else patience_seconds(wish.interval)
        self._told_ms = dict.fromkeys(System, -math.inf)
        last = wish.last if wish.last and wish.last.end else None
        self._missed_since = last.end if last and last.mode is Mode.LIVE and self._may_live else None
        self._replay = Replay(wish.systems, last if last and last.mode is Mode.REPLAY else None)
        self._heard_at = -math.inf
        self._alarms_told: tuple[int, list[dict[str, Any]]] | None = None
        self._beat_at = self._step_at = self._paced_until = self._time()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield what there is to tell, when it is due; ends with the listener."""
        for event in await self._opening():
            yield event
        self._beat_at = self._time() + HEARTBEAT_SECONDS
        while self._listener.code is None:
            for event in await self._due(self._time()):
                yield event
            now = self._time()
            is_paced = now < self._paced_until
            await self._listener.wait(self._next_at(is_paced) - now, for_readings=not is_paced)

    async def _opening(self) -> list[Event]:
        """Return what comes first: how it goes on, and of a live battery where it stands or what was missed."""
        found: list[Event] = []
        if self._may_live:
            heard = await self._ask(last_heard)
            newest_at = {system: at for system, at in heard.newest_at.items() if system in self._wish.systems}
            age = _age_seconds(heard)
            if newest_at and age < patience_seconds(self._wish.interval):
                self._mode, self._heard_at = Mode.LIVE, self._time() - age
            if self._missed_since is not None:
                found = await self._missed(dict.fromkeys(self._wish.systems, self._missed_since))
            elif self._mode is Mode.LIVE and not math.isinf(self._heard_at):
                for system, at in newest_at.items():
                    rows = await self._ask(row_at, at, system=system)
                    found += self._as_news([events.missed(system, row) for row in rows])
        return [events.hello(self._about, self._mode), *found]

    async def _due(self, now: float) -> list[Event]:
        due = self._alarms() + self._live(now)
        if now >= self._beat_at:
            due.append(events.heartbeat(timezone.now()))
            self._beat_at = now + HEARTBEAT_SECONDS
        if self._mode is Mode.LIVE and now >= self._silent_at:
            due += await self._after_silence(now)
        if self._mode is Mode.REPLAY and now >= self._step_at:
            due += await self._next_step(now)
        return due

    def _next_at(self, is_paced: bool) -> float:
        """Return when something is due though nothing comes in."""
        then = self._step_at if self._mode is Mode.REPLAY else self._silent_at
        return min(self._beat_at, then, self._paced_until if is_paced else math.inf)

    @property
    def _silent_at(self) -> float:
        if math.isinf(self._patience):
            return math.inf
        return max(self._heard_at, self._listener.heard_at) + self._patience

    def _alarms(self) -> list[Event]:
        standing, self._listener.alarms = self._listener.alarms, None
        if standing is None:
            return []
        told = [alarm_row(alarm) for alarm in standing.newest]
        if (standing.count, told) == self._alarms_told:
            return []
        self._alarms_told = (standing.count, told)
        return [events.alarms(standing.count, told)]

    def _live(self, now: float) -> list[Event]:
        """Return the readings that came in; they end a replay."""
        if now < self._paced_until:
            return []
        news = self._as_news(self._listener.take())
        if news:
            self._mode = Mode.LIVE
            if self._wish.is_paced:
                self._paced_until = now + _SHARE_OF_AN_INTERVAL * self._wish.interval
                return news[-1:]
        return news

    def _as_news(self, found: Sequence[Event]) -> list[Event]:
        """Keep what is newer than what was told of its system: the database and the hub may tell the same."""
        news = []
        for event in found:
            if event.system is not None and event.at_ms > self._told_ms[event.system]:
                self._told_ms[event.system] = event.at_ms
                news.append(event)
        return news

    async def _after_silence(self, now: float) -> list[Event]:
        """Return what came in though nobody told; where there is nothing the replay begins, or goes on."""
        heard = await self._ask(last_heard)
        untold = {
            system: EventId(Mode.LIVE, int(self._told_ms[system])).end
            for system, at in heard.newest_at.items()
            if system in self._wish.systems and -math.inf < self._told_ms[system] < in_ms(at)
        }
        age = _age_seconds(heard)
        if untold and age < self._patience:
            self._heard_at = now - age
            return await self._missed(untold)
        self._mode, self._step_at = Mode.REPLAY, now
        return []

    async def _missed(self, since: Mapping[System, datetime | None]) -> list[Event]:
        """Return what was told of some systems since then, in the order of time."""
        found = [
            events.missed(system, row)
            for system, after in since.items()
            for row in await self._ask(rows_missed, after, system=system)
        ]
        return self._as_news(sorted(found, key=lambda event: event.at_ms))

    async def _next_step(self, now: float) -> list[Event]:
        """Return the next rows of the history; where there is none it is looked for again after a while."""
        self._step_at = max(self._step_at + self._wish.interval, now)
        while True:
            while lacking := self._replay.lacks():
                for system, after in lacking:
                    rows = await self._ask(rows_after, after, system=system)
                    self._replay.feed(system, rows, is_last=len(rows) < PAGE_ROWS)
            step = self._replay.step()
            if step:
                return [events.replayed(told.system, told.id, told.text) for told in step]
            if self._replay.is_empty:
                self._replay.start_over()
                self._step_at = now + HEARTBEAT_SECONDS
                return []

    async def _ask(self, question: Callable[..., _Answer], *more: object, system: System | None = None) -> _Answer:
        of_what = (self._battery_pk,) if system is None else (system, self._battery_pk)
        answer: _Answer = await database_sync_to_async(question)(*of_what, *more)
        return answer


def _age_seconds(heard: Heard) -> float:
    return math.inf if heard.heard_at is None else (timezone.now() - heard.heard_at).total_seconds()
