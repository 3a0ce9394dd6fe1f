"""The demo's devices: entered into the registry, heard for a day through the door, rolled up and switched."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from accounts.actors import Actor
from accounts.models import CustomerAccount
from energy_portal.management.demo.appliances import (
    MINUTE,
    RUNS_ON_MINUTES,
    Appliance,
    Kind,
    Word,
    appliances,
    words_of,
)
from energy_portal.management.demo.places import RADIUS_M, REGIONS
from meters.devices.decoding import Sample
from meters.devices.models import DeviceGroup, Product
from meters.devices.services import commands, registry
from meters.devices.services.catalogue import save_group, save_product
from meters.devices.services.hours import close_hours, roll_up_next
from meters.devices.services.messages import take_samples
from meters.devices.services.state import refresh_states, silence_devices
from meters.devices.services.watching import watch_silence
from meters.insights.models import Appliance as InsightAppliance
from meters.insights.services.appliances import set_appliance
from meters.insights.services.faults import diagnose_due
from meters.models import Region
from meters.services.alarms import advance
from meters.services.regions import save_region

_RATED_W = {Kind.FRIDGE: 150.0, Kind.AIR_CON: 1_400.0, Kind.HEATER: 3_000.0, Kind.PLUG: 250.0, Kind.CHARGER: 3_600.0}
_SECOND = timedelta(seconds=1)


def cast_devices(numbers: Sequence[str]) -> tuple[Appliance, ...]:
    """Return the devices of the demo's accounts, the first of which a stranger looks at."""
    regions = tuple(name for name, _ in REGIONS)
    return appliances(account=numbers[0], neighbours=tuple(numbers[1:]), regions=regions) if numbers else ()


def load_devices(
    devices: Sequence[Appliance], *, manager: Actor, zone: ZoneInfo, now: datetime, advance_bar: Callable[[int], None]
) -> None:
    """Enter the devices, let a day of theirs come in, and settle everything that follows from it.

    :param advance_bar: told how many devices' words came in.
    """
    _enter(devices, manager, now)
    words = sorted((word for device in devices for word in words_of(device, now=now, zone=zone)), key=_time)
    for _, some in groupby(words, key=lambda word: _arrival(word, now)):
        batch = list(some)
        take_samples(samples=[_sample(word) for word in batch], now=batch[-1].time)
    advance_bar(len(devices))
    close_hours(now=now)
    while roll_up_next(now=now):
        pass
    _switch(manager, now)
    refresh_states(now=now)
    silence_devices(now=now)
    watch_silence(now=now)
    advance(now=now)
    _watch_fridges(devices, manager, now)


def _watch_fridges(devices: Sequence[Appliance], manager: Actor, now: datetime) -> None:
    """Say which devices are refrigerators, have what is usual of them learnt, and look at them."""
    learnt_at = now - RUNS_ON_MINUTES * MINUTE
    for device in devices:
        if device.kind is Kind.FRIDGE:
            kind = InsightAppliance.Kind.REFRIGERATOR
            set_appliance(device_id=device.device_id, kind=kind, actor=manager, now=learnt_at)
    for instant in (learnt_at, now):
        diagnose_due(now=instant, limit=len(devices))


def _enter(devices: Sequence[Appliance], manager: Actor, now: datetime) -> None:
    accounts = {account.number: account for account in CustomerAccount.objects.all()}
    regions: dict[str, Region] = {}
    for name, centre in REGIONS:
        values = {"name": name, "latitude": centre.latitude, "longitude": centre.longitude, "radius_m": RADIUS_M}
        regions[name] = save_region(region=None, values=values, actor=manager, now=now)
    groups: dict[Kind, DeviceGroup] = {}
    products: dict[Kind, Product] = {}
    for kind in Kind:
        groups[kind] = save_group(group=None, values={"name": f"{kind}s"}, actor=manager, now=now)
        values = {"product_id": f"demo-{kind.name.lower()}", "name": f"{kind}, demo"}
        products[kind] = save_product(product=None, values=values, actor=manager, now=now)
    for device in devices:
        details = {
            "name": device.name,
            "group": groups[device.kind],
            "product": products[device.kind],
            "region": regions[device.region],
            "account": accounts.get(device.account),
            "is_critical": device.is_critical,
            "rated_power_w": _RATED_W[device.kind],
        }
        registry.create_device(device_id=device.device_id, details=details, actor=manager, now=now)


def _switch(manager: Actor, now: datetime) -> None:
    """Tell some devices to switch: one that obeys, one that says no, one that does not answer, one still on its way."""
    for device_id, switch, minutes, answer in (
        ("demo-desk-plug", True, 200, True),
        ("demo-bedroom-aircon", False, 95, False),
        (f"demo{9:016d}", False, 60, None),
    ):
        at = now - timedelta(minutes=minutes)
        command = commands.send_command(device_id=device_id, switch=switch, actor=manager, now=at)
        commands.take_due(limit=10, now=at)
        commands.note_sent(sent={command.pk: at + _SECOND})
        if answer is not None:
            ack = commands.CommandAck(command.pk, device_id, answer)
            commands.note_acks(acks=[ack], now=at + 2 * _SECOND)
        for later in (1, 2, 15, 30):
            commands.take_due(limit=10, now=at + timedelta(minutes=later))


def _time(word: Word) -> datetime:
    return word.time


def _arrival(word: Word, now: datetime) -> int:
    """Return which words come in together: by the hour, those of the last ten minutes by the second."""
    seconds = int((now - word.time).total_seconds())
    return seconds if seconds < 600 else 10_000 + seconds // 3600


def _sample(word: Word) -> Sample:
    time_us = int((word.time - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
    return Sample(word.device_id, time_us, word.power_w, word.temperature_c, switch=word.switch)
