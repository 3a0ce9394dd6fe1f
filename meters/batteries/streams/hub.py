"""The one place of a process where news of batteries comes in and is handed to whoever listens."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.utils import timezone

from accounts.consumers import NO_LOGIN, NOT_ALLOWED
from meters.alarms import FLEET_GROUP
from meters.batteries.quantities import System
from meters.batteries.selectors.listening import Refused, alarms_heard, refusals
from meters.batteries.streams.broadcasting import GROUP
from meters.batteries.streams.events import Event, live
from meters.batteries.streams.listener import Listener

logger = logging.getLogger(__name__)

NOT_THEIRS, GOING_AWAY = 4404, 1012
CLOSED_BY = {Refused.NO_LOGIN: NO_LOGIN, Refused.NOT_ALLOWED: NOT_ALLOWED, Refused.NOT_THEIRS: NOT_THEIRS}
# Whose right was taken away hears nothing five seconds later.
LOOK_SECONDS = 3.0
ALARMS_PAUSE_SECONDS = 1.0
_PAUSE_AFTER_FAILURE_SECONDS = 1.0
_SYSTEMS = {system.value: system for system in System}


class Hub:
    """Knows the listeners of a process, by battery.

    It is a member of the layer's groups only while somebody listens. Every ``LOOK_SECONDS`` it asks once, for all of
    them, who may listen no more; after news of alarms once for all how these stand.
    """

    def __init__(self) -> None:
        self._layer = get_channel_layer()
        self._listeners: defaultdict[int, set[Listener]] = defaultdict(set)
        self._changing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._channel = ""
        self._alarms_changed = asyncio.Event()
        self._is_ending = False

    async def join(self, listener: Listener) -> None:
        """Have a listener hear all that its battery tells from now on."""
        async with self._changing:
            if not self._tasks:
                await self._open()
            self._listeners[listener.listening.battery_pk].add(listener)
        if self._is_ending:
            listener.end(GOING_AWAY)

    async def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        battery_pk = listener.listening.battery_pk
        self._listeners[battery_pk].discard(listener)
        if not self._listeners[battery_pk]:
            del self._listeners[battery_pk]
        async with self._changing:
            if not self._listeners and self._tasks:
                await self._close()

    def end_all(self) -> None:
        """End every stream, and those that come yet: this process is about to end."""
        self._is_ending = True
        for listener in self._everybody():
            listener.end(GOING_AWAY)

    def hand_out(self, message: Mapping[str, Any]) -> None:
        """Leave readings with the listeners of their batteries; returns at once."""
        now = asyncio.get_running_loop().time()
        for battery_pk, name, at_ms, text in message["readings"]:
            listeners = self._listeners.get(battery_pk)
            if not listeners:
                continue
            system = _SYSTEMS[name]
            event: Event | None = None
            for listener in listeners:
                if system in listener.systems:
                    event = event or live(system, at_ms, text)
                    listener.offer(event, now)

    def _everybody(self) -> list[Listener]:
        return [listener for listeners in self._listeners.values() for listener in listeners]

    async def _open(self) -> None:
        self._channel = await self._layer.new_channel()
        await self._layer.group_add(GROUP, self._channel)
        await self._layer.group_add(FLEET_GROUP, self._channel)
        works = (self._receive, self._look_again_and_again, self._tell_alarms)
        self._tasks = [asyncio.create_task(work()) for work in works]

    async def _close(self) -> None:
        tasks, self._tasks = self._tasks, []
        await self._layer.group_discard(GROUP, self._channel)
        await self._layer.group_discard(FLEET_GROUP, self._channel)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
                if message["type"] == "told":
                    self.hand_out(message)
                else:
                    self._alarms_changed.set()
            except Exception:
                logger.exception("News of batteries was not understood")
                await asyncio.sleep(_PAUSE_AFTER_FAILURE_SECONDS)

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            everybody = self._everybody()
            with suppress(_Failed):
                refused = await _asked(refusals, {listener.listening for listener in everybody})
                for listener in everybody:
                    if (why := refused.get(listener.listening)) is not None:
                        listener.end(CLOSED_BY[why])

    async def _tell_alarms(self) -> None:
        while True:
            await self._alarms_changed.wait()
            self._alarms_changed.clear()
            everybody = [listener for listener in self._everybody() if listener.is_told_alarms]
            with suppress(_Failed):
                heard = await _asked(alarms_heard, {listener.listening for listener in everybody})
                for listener in everybody:
                    if (standing := heard.get(listener.listening)) is not None:
                        listener.offer_alarms(standing)
            await asyncio.sleep(ALARMS_PAUSE_SECONDS)


class _Failed(Exception):
    """The database did not answer; it is asked again later."""


async def _asked(question: Any, listening: Any) -> Any:
    try:
        return await database_sync_to_async(question)(listening, now=timezone.now())
    except Exception as error:
        logger.exception("It is not known who may listen to batteries")
        raise _Failed from error


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


def hub_here() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def end_streams() -> None:
    """End every stream of this process; call it on its event loop."""
    hub_here().end_all()
