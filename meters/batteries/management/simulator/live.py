"""A simulated battery that speaks to a portal as a real one does: a reading a second of each system."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import msgspec
import numpy as np

from meters.batteries.quantities import System
from meters.batteries.simulation import SimulatedBattery, Told
from meters.devices.management.simulator.http import Connection
from meters.devices.management.simulator.publishing import Publisher
from meters.devices.management.simulator.tally import Tally

_MOST_AT_ONCE = 600
_TICK_SECONDS = 1.0


class Refused(Exception):
    """The portal does not take what a battery tells; another try would change nothing."""


@dataclass
class Pace:
    """When a battery lives how long: a second each second, and what it is behind as fast as it may.

    :ivar speed: seconds that it lives in one at most; None: as many as there are.
    :ivar seconds: after which it stops; None: never.
    """

    battery: SimulatedBattery
    speed: float | None
    seconds: float | None

    def parcels(self) -> Iterator[Told | float]:
        """Yield what it tells when it is time to tell it, and in between how long to wait, in seconds."""
        began = time.time()
        while self.seconds is None or time.time() - began < self.seconds:
            tick = time.time()
            due = int(tick - self.battery.time)
            size = min(due, _MOST_AT_ONCE, int(self.speed) if self.speed else due)
            if size > 0:
                yield self.battery.run(steps=size, seconds=1.0)
            if self.speed or due <= _MOST_AT_ONCE:
                yield max(0.0, _TICK_SECONDS - (time.time() - tick))


@dataclass
class Posting:
    """Posts both systems' readings, and again until the portal has them.

    :ivar on_tick: called after each parcel with the seconds that the battery is behind.
    """

    url: str
    key: str
    battery_id: str
    pace: Pace
    tally: Tally
    on_tick: Callable[[float], None]
    grace_seconds: float = 600.0
    random: Random = field(default_factory=Random)

    async def run(self) -> None:
        """Speak until the time is up or this is cancelled.

        :raises Refused: the portal does not take it.
        """
        connections = {system: Connection(url=self.url, key=self.key) for system in System}
        try:
            for parcel in self.pace.parcels():
                if isinstance(parcel, float):
                    await asyncio.sleep(parcel)
                    continue
                await asyncio.gather(*(self._send(connections[system], system, parcel) for system in System))
                self.on_tick(time.time() - self.pace.battery.time)
        finally:
            for connection in connections.values():
                await connection.close()

    async def _send(self, connection: Connection, system: System, told: Told) -> None:
        size = told.times.size
        self.tally.sent += size
        answer = await connection.deliver(
            f"/api/v1/batteries/{self.battery_id}/{system}",
            payload(system, told),
            deadline=asyncio.get_running_loop().time() + self.grace_seconds,
            random=self.random,
            on_retry=self._note_retry,
        )
        if answer is None:
            self.tally.unanswered += size
        elif answer.status >= 300:
            raise Refused(f"{answer.status} {answer.body.decode(errors='replace')[:300]}")
        else:
            self.tally.acknowledged += size

    def _note_retry(self, reason: str) -> None:
        self.tally.retried[reason] += 1


@dataclass
class Publishing:
    """Publishes both systems' readings to an MQTT broker with QoS 1.

    :ivar on_tick: called after each parcel with the seconds that the battery is behind.
    """

    url: str
    prefix: str
    battery_id: str
    pace: Pace
    tally: Tally
    on_tick: Callable[[float], None]

    def run(self) -> None:
        """Speak until the time is up or an exception such as that of Ctrl-C.

        :raises OSError: there is no broker.
        """
        publisher = Publisher(url=self.url, client_id=f"simulated-{self.battery_id}")
        try:
            for parcel in self.pace.parcels():
                if isinstance(parcel, float):
                    time.sleep(parcel)
                else:
                    for system in System:
                        topic = f"{self.prefix}/batteries/{self.battery_id}/{system}"
                        publisher.publish(topic, payload(system, parcel), parcel.times.size)
                    self.tally.sent += len(System) * parcel.times.size
                self.tally.acknowledged += publisher.acknowledged()
                self.on_tick(time.time() - self.pace.battery.time)
        finally:
            self.tally.acknowledged += publisher.acknowledged()
            self.tally.unanswered = self.tally.sent - self.tally.acknowledged
            publisher.close()


def payload(system: System, told: Told) -> bytes:
    """Return readings as they are published: one alone, more in an array, each with its timestamp."""
    stamps = np.datetime_as_string(np.round(told.times).astype("datetime64[s]"), timezone="UTC").tolist()
    names, columns = zip(*told.values[system].items(), strict=True)
    rows = zip(stamps, *(column.tolist() for column in columns), strict=True)
    readings = [dict(zip(("timestamp", *names), row, strict=True)) for row in rows]
    return msgspec.json.encode(readings[0] if len(readings) == 1 else readings)
