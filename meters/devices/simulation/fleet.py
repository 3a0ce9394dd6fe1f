"""Devices that speak when something changed, fall silent, repeat themselves and catch up, all from one seed."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from meters.devices.simulation.appliances import KINDS, Appliance

# How much of an appliance's life is looked at between two of its messages, at most: how fast it lives follows from
# how often it is to speak.
_STEP_SECONDS, _MOST_STEPS = 30.0, 20
_POWER_STEP_W, _POWER_STEP_SHARE, _TEMPERATURE_STEP_C = 1.0, 0.03, 0.2
_MAINS_V = 230.0
_REPEAT_SHARE = 0.02
_OUTAGE_SHARE = 1 / 600
_OUTAGE_GAPS = (10.0, 60.0)
_MOST_KEPT = 100
_SECONDS_PER_HOUR, _MILLIS = 3_600, 1_000


class Family(StrEnum):
    """How a device speaks."""

    PROTOCOL_1000 = "protocol_1000"
    LEGACY = "legacy"
    PLAIN = "plain"


_FAMILIES = (*[Family.PROTOCOL_1000] * 7, *[Family.LEGACY] * 2, Family.PLAIN)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a device measured in one instant.

    :ivar millis: ms since 1970, UTC; never twice of one device.
    :ivar values: by quantity, as samples name them.
    """

    millis: int
    values: Mapping[str, float | bool]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What leaves a device at once: readings, or the news that it went offline or came back.

    :ivar millis: when it leaves.
    :ivar readings: one, or those that were kept through an outage, in no order.
    :ivar is_repeat: the same was sent before.
    :ivar is_online: None in a parcel of readings.
    """

    device: str
    family: Family
    millis: int
    readings: tuple[Reading, ...] = ()
    is_repeat: bool = False
    is_online: bool | None = None

    @property
    def is_late(self) -> bool:
        """Tell whether it was kept through an outage."""
        return any(reading.millis < self.millis for reading in self.readings) and not self.is_repeat


@dataclass(slots=True)
class _Device:
    name: str
    family: Family
    appliance: Appliance
    told: dict[str, float | bool] = field(default_factory=dict)
    told_at: int | None = None
    energy_wh: float = 0.0
    silent_until: int | None = None
    keeps: bool = False
    kept: list[Reading] = field(default_factory=list)

    def measure(self, millis: int, random: Random) -> Reading:
        """Live until something changes enough to be told, or for long enough to say that it is still there."""
        changed: dict[str, float | bool] = {}
        for _ in range(_MOST_STEPS):
            self.appliance.live(_STEP_SECONDS, random)
            if changed := self._changes():
                break
        values = changed or {"power_w": round(self.appliance.power_w, 1)}
        if self.family is Family.LEGACY:
            values |= self._electrical(values, millis, random)
        self.told |= values
        self.told_at = millis
        return Reading(millis, values)

    def _changes(self) -> dict[str, float | bool]:
        changes: dict[str, float | bool] = {}
        power, told = round(self.appliance.power_w, 1), self.told.get("power_w")
        if told is None or abs(power - told) >= max(_POWER_STEP_W, _POWER_STEP_SHARE * told):
            changes["power_w"] = power
        warmth, told = round(self.appliance.temperature_c, 1), self.told.get("temperature_c")
        if self.family is not Family.LEGACY and (told is None or abs(warmth - told) >= _TEMPERATURE_STEP_C):
            changes["temperature_c"] = warmth
        if self.appliance.is_on is not self.told.get("switch"):
            changes["switch"] = self.appliance.is_on
        return changes

    def _electrical(self, values: Mapping[str, float | bool], millis: int, random: Random) -> dict[str, float | bool]:
        """Say what the older family tells besides: volts, amperes, and whole watt-hours since it last told."""
        added: dict[str, float | bool] = {}
        if "power_w" in values:
            volts = round(_MAINS_V * random.gauss(1.0, 0.01), 1)
            added = {"voltage_v": volts, "current_a": round(values["power_w"] / volts, 3)}
        if self.told_at is not None:
            self.energy_wh += self.told.get("power_w", 0.0) * (millis - self.told_at) / _MILLIS / _SECONDS_PER_HOUR
        whole = int(self.energy_wh)
        if whole:
            self.energy_wh -= whole
            added["energy_wh"] = float(whole)
        return added


@dataclass(order=True, slots=True)
class _Event:
    millis: int
    number: int
    device: _Device = field(compare=False)
    parcel: Parcel | None = field(default=None, compare=False)


class Fleet:
    """Devices in the order in which they speak: the same seed and start say the same, however one asks."""

    def __init__(self, *, count: int, rate: float, start_millis: int, seed: int = 0) -> None:
        """Describe a fleet.

        :param count: how many devices there are; their names follow from the seed.
        :param rate: messages a second of all of them, about: outages take some away, repeats add some.
        :param start_millis: when it begins, ms since 1970.
        """
        self._random = Random(seed)  # noqa: S311 nothing secret
        self._gap_millis = max(2.0, _MILLIS * count / rate)
        self._events: list[_Event] = []
        self._number = 0
        for number in range(count):
            make = KINDS[number % len(KINDS)][1]
            family = _FAMILIES[number // len(KINDS) % len(_FAMILIES)]
            device = _Device(f"sim-{seed}-{number:07}", family, make())
            self._plan(start_millis + int(self._random.uniform(0, self._gap_millis)), device)

    def until(self, millis: int) -> Iterator[Parcel]:
        """Yield what leaves up to a moment, in order; the next call goes on from there."""
        while self._events and self._events[0].millis <= millis:
            event = heapq.heappop(self._events)
            if event.parcel is not None:
                yield event.parcel
            else:
                yield from self._speak(event.device, event.millis)

    def _plan(self, millis: int, device: _Device, parcel: Parcel | None = None) -> None:
        self._number += 1
        heapq.heappush(self._events, _Event(millis, self._number, device, parcel))

    def _speak(self, device: _Device, millis: int) -> Iterator[Parcel]:
        random = self._random
        self._plan(millis + max(1, int(self._gap_millis * random.uniform(0.5, 1.5))), device)
        if device.silent_until is not None:
            if millis < device.silent_until:
                if device.keeps and len(device.kept) < _MOST_KEPT:
                    device.kept.append(device.measure(millis, random))
                return
            yield from self._come_back(device, millis)
        parcel = Parcel(device.name, device.family, millis, (device.measure(millis, random),))
        yield parcel
        if random.random() < _REPEAT_SHARE:
            later = millis + int(self._gap_millis * random.uniform(0.0, 3.0))
            repeat = Parcel(device.name, device.family, later, parcel.readings, is_repeat=True)
            self._plan(later, device, repeat)
        if random.random() < _OUTAGE_SHARE:
            yield from self._fall_silent(device, millis)

    def _fall_silent(self, device: _Device, millis: int) -> Iterator[Parcel]:
        """Begin an outage: of the network, through which a device keeps what it measures, or of the mains."""
        device.silent_until = millis + int(self._gap_millis * self._random.uniform(*_OUTAGE_GAPS))
        device.keeps = self._random.random() < 0.5
        if not device.keeps:
            device.appliance.lose_power()
            device.told, device.told_at = {}, None
        yield Parcel(device.name, device.family, millis, is_online=False)

    def _come_back(self, device: _Device, millis: int) -> Iterator[Parcel]:
        kept, device.kept, device.silent_until = device.kept, [], None
        yield Parcel(device.name, device.family, millis, is_online=True)
        if kept:
            self._random.shuffle(kept)
            yield Parcel(device.name, device.family, millis, tuple(kept))
