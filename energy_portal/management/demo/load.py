"""Load the demo data from nothing to the mark that they are whole."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django.db import transaction
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from accounts.actors import PORTAL, Actor
from energy_portal.management.demo.ahead import look_ahead, look_ahead_of_batteries
from energy_portal.management.demo.batteries import BATTERIES, load_batteries
from energy_portal.management.demo.cast import Cast, cast_of, first_day_of
from energy_portal.management.demo.field import load_field_work
from energy_portal.management.demo.fleet import cast_devices, load_devices
from energy_portal.management.demo.payments import pay_bills
from energy_portal.management.demo.people import create_people, create_source_first, note_source_seen, open_account
from energy_portal.management.demo.prices import (
    add_day_and_night,
    add_demo_prices,
    months_over,
    put_some_on,
    run_bills,
)
from energy_portal.management.demo.replay import Script, reading_count, register_households, replay
from energy_portal.management.demo.state import mark_loaded
from energy_portal.management.demo.store import date_back
from energy_portal.management.demo.unusual import find_unusual
from energy_portal.shared.demo_logins import DemoLogin, DemoSource, write_demo_logins
from meters.services.partitions import make_partitions_ahead
from meters.services.registration import Registration, request_registration


@dataclass(frozen=True)
class Loaded:
    """What a load made."""

    accounts: int
    readings: int
    months: int
    devices: int
    assignments: int
    logins: tuple[DemoLogin, ...]
    source: DemoSource


def load(*, accounts: int, days: int, now: datetime, zone: ZoneInfo, home: Path, progress: Progress) -> Loaded:
    """Load the demo data into a portal without accounts.

    :param days: local days of history before today.
    :param home: where the logins are kept.
    """
    cast = cast_of(accounts=accounts, days=days, now=now, zone=zone)
    months = months_over(first_day=first_day_of(cast), now=now, zone=zone)
    source, key = create_source_first(now=now)
    people = create_people(source=source, key=key, now=now)
    manager = Actor(user=people.users["manager"])
    script = Script(cast=cast, manager=manager, head_end=Actor(source=source), now=now)
    _prepare(script)
    if cast.households:
        open_account(people=people, number=cast.households[0].number, since=cast.marks[0], now=now)

    total = reading_count(cast)
    task = progress.add_task("Readings", total=total)
    replay(script, advance=lambda sent: progress.advance(task, sent))
    note_source_seen(source=source, now=now)
    date_back()

    task = progress.add_task("Bills by month", total=len(months))
    run_bills(months=months, zone=zone, actor=manager, now=now, advance=lambda done: progress.advance(task, done))

    pay_bills(zone=zone, actor=manager, now=now)
    find_unusual(zone=zone, now=now)
    progress.add_task("What is expected", total=None)
    look_ahead(zone=zone, now=now)

    devices = cast_devices([household.number for household in cast.households])
    task = progress.add_task("Devices", total=len(devices))
    load_devices(devices, manager=manager, zone=zone, now=now, advance_bar=lambda done: progress.advance(task, done))

    if cast.households:
        task = progress.add_task("Batteries", total=BATTERIES)
        load_batteries(
            account=cast.households[0].number,
            days=days,
            manager=manager,
            now=now,
            advance=lambda done: progress.advance(task, done),
        )
        look_ahead_of_batteries(zone=zone, now=now)

    task = progress.add_task("Field work", total=1)
    assignments = load_field_work(cast=cast, users=people.users, now=now)
    progress.update(task, total=assignments, completed=assignments)

    logins = tuple(people.logins())
    machine = DemoSource(source.name, key)
    write_demo_logins(home, logins, machine)
    mark_loaded(source=source, now=now, accounts=accounts, readings=total, months=len(months), devices=len(devices))
    return Loaded(
        accounts=accounts,
        readings=total,
        months=len(months),
        devices=len(devices),
        assignments=assignments,
        logins=logins,
        source=machine,
    )


def bars(console: object = None) -> Progress:
    """Return the progress of a load for a terminal."""
    return Progress(
        TextColumn("{task.description:<15}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,  # type: ignore[arg-type]
    )


@transaction.atomic
def _prepare(script: Script) -> None:
    cast, now = script.cast, script.now
    make_partitions_ahead(now=now)
    first_day, today = first_day_of(cast), now.astimezone(cast.zone).date()
    add_demo_prices(first_day=first_day, last_day=today)
    by_the_hour = add_day_and_night(first_day=first_day, last_day=today, now=now)
    register_households(script)
    put_some_on(by_the_hour, first_day=first_day, actor=script.manager, now=now)
    request_registration(registration=_wish(cast), actor=PORTAL, now=now)


def _wish(cast: Cast) -> Registration:
    """Return a registration that waits for a manager."""
    return Registration(
        account_number="A-2001",
        owner_name="Nurul Izzah",
        meter_serials=("SG-990001",),
        email="nurul.izzah@example.org",
        address="Block 12 Jurong West Street 41 #07-118, Singapore 640012",
        zone=cast.zone.key,
        family_members=(("Iskandar Shah", "spouse"),),
    )
