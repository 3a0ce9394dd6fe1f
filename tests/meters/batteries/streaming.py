"""Batteries with something to tell, and clients of their streams without a server in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.utils import timezone

from meters.batteries.models import Battery
from meters.batteries.quantities import System
from meters.batteries.selectors.history import published_text
from meters.batteries.services.news import Told
from meters.batteries.services.readings import Readings, store_readings
from meters.batteries.streams import hub_here
from meters.batteries.streams.broadcasting import GROUP, message_of
from meters.series.columns import EPOCH

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
PATIENCE_SECONDS = 10


def remember(
    battery: Battery, *rows: tuple[datetime, dict[str, float]], system: System = System.BMS, is_live: bool = False
) -> None:
    """Store readings, by column; live ones were heard just now."""
    names = sorted({name for _, values in rows for name in values})
    readings = Readings(
        np.full(len(rows), battery.pk, dtype=np.int64),
        np.array([(at - EPOCH) // timedelta(microseconds=1) for at, _ in rows], dtype=np.int64),
        {name: np.array([values.get(name, np.nan) for _, values in rows]) for name in names},
    )
    store_readings(system=system, readings=readings, is_live=is_live, now=timezone.now())


def told(battery: Battery, at: datetime, value: float, system: System = System.BMS) -> Told:
    """Return news whose first signal has a value."""
    values = [value, *[None] * (9 if system is System.BMS else 11)]
    return Told(battery.pk, system, at, published_text(system, at, values))


async def tell(*news: Told) -> None:
    """Tell every stream."""
    await get_channel_layer().group_send(GROUP, message_of(news))


def scenario(play: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario; the database's work stays in this thread, and in the test's transaction."""
    async_to_sync(play)()


class EventStream:
    """What comes out of an answer that stays open."""

    def __init__(self, answer: Any) -> None:
        assert answer.status_code == 200, answer.content
        self._parts = aiter(answer)

    async def block(self) -> str:
        """Return what comes next, comments among it."""
        return (await asyncio.wait_for(anext(self._parts), PATIENCE_SECONDS)).decode()

    async def event(self) -> tuple[str, Any]:
        """Return the id and the reading of the next event."""
        while True:
            lines = dict(line.split(": ", 1) for line in (await self.block()).strip().split("\n"))
            if "data" in lines:
                return lines["id"], json.loads(lines["data"])

    async def ids(self, count: int) -> list[str]:
        return [(await self.event())[0] for _ in range(count)]

    async def is_over(self) -> bool:
        """Read to the end, and return True there."""
        while True:
            try:
                await self.block()
            except StopAsyncIteration:
                return True

    async def close(self) -> None:
        await self._parts.aclose()


@asynccontextmanager
async def stream(client: Any, path: str, **headers: str) -> AsyncIterator[EventStream]:
    """Open an event stream for the block; nothing is left at the hub behind it."""
    events = EventStream(await sync_to_async(client.get)(path, headers=headers))
    try:
        yield events
    finally:
        await events.close()
    assert not hub_here()._listeners
