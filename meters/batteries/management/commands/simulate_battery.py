"""Simulate a battery: write what it tells into files, or speak to a running portal."""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from accounts.actors import PORTAL
from accounts.roles import Scope
from accounts.services.sources import create_source, revoke_source
from energy_portal.shared.errors import DomainError
from meters.batteries.management.simulator.files import RATES, write_signals, write_wide
from meters.batteries.management.simulator.live import Pace, Posting, Publishing, Refused
from meters.batteries.models import BatteryState
from meters.batteries.simulation import Design, SimulatedBattery
from meters.devices.management.simulator.tally import Tally

_KEY_VARIABLE = "SIMULATOR_KEY"
_DAY_SECONDS = 86_400
_WIDE_SECONDS = 10
_DEFAULT_SOC = 42.0


class Command(BaseCommand):
    """Be a battery that nobody has."""

    help = (
        "Simulate a battery of 260 cells in series (280 Ah, 232 kWh) with its converter (100 kW): as CSV files that "
        "import_battery reads, or live, a reading a second of BMS and PCS, to a portal that knows the battery."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the battery, what it is built of, and where its words go."""
        parser.add_argument("device", help="the battery's id, as ZHPESS232A230002")
        parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same battery (default 0)")
        parser.add_argument("--strings", type=_positive(int), default=1, help="of 280 Ah and 100 kW each (default 1)")
        parser.add_argument("--soc", type=float, help="where it begins, %% (default: as this portal knows it, or 42)")
        parser.add_argument("--ambient", type=float, default=27.5, help="°C outdoors on average (default 27.5)")
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--files", type=Path, metavar="DIR", help="write files into this folder")
        where.add_argument("--url", help=f"post live to this portal (default {settings.PORTAL_URL})")
        where.add_argument(
            "--mqtt",
            nargs="?",
            const=settings.MQTT_URL,
            metavar="URL",
            help="publish live to this broker, as mqtt://user:password@host:1883 (default MQTT_URL)",
        )
        files = parser.add_argument_group("files")
        files.add_argument("--days", type=_positive(float), default=1.0, help="how many, up to now (default 1)")
        files.add_argument("--wide", action="store_true", help="one file a system instead of one a signal")
        files.add_argument(
            "--rates", nargs="+", type=_rate, default=[], metavar="SIGNAL=SECONDS", help="other rates than a logger's"
        )
        live = parser.add_argument_group("live")
        live.add_argument("--behind", type=float, default=0.0, metavar="HOURS", help="begin so long ago, and catch up")
        live.add_argument(
            "--speed", type=_positive(float), help="seconds that it lives in one while it catches up (default: any)"
        )
        live.add_argument("--seconds", type=_positive(float), help="how long; until Ctrl-C unless told")
        live.add_argument("--json", action="store_true", help="print the counts as JSON")
        keys = live.add_mutually_exclusive_group()
        keys.add_argument(
            "--key",
            default=os.environ.get(_KEY_VARIABLE, ""),
            help=f"of a data source with the scope batteries (default: {_KEY_VARIABLE} in the environment)",
        )
        keys.add_argument(
            "--make-key", action="store_true", help="admit a data source for this run, and revoke it at the end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the files, or speak until the time is up or Ctrl-C, and print one line of what became of it.

        :raises CommandError: no key, no broker, or nothing was taken.
        """
        try:
            if options["files"]:
                self._write(options)
            else:
                self._speak(options)
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error

    def _write(self, options: dict[str, Any]) -> None:
        rates = {**RATES, **dict(options["rates"])}
        seconds = _WIDE_SECONDS if options["wide"] else min(rates.values())
        steps = int(options["days"] * _DAY_SECONDS / seconds)
        end = int(time.time()) // _WIDE_SECONDS * _WIDE_SECONDS
        blocks = _battery(options, start=end - steps * seconds).blocks(steps=steps, seconds=float(seconds))
        folder = options["files"] / options["device"]
        written = write_wide(folder, blocks) if options["wide"] else write_signals(folder, blocks, rates=rates)
        rows, began = 0, end - steps * seconds
        with suppress(KeyboardInterrupt), _progress(total=steps * sum(_rows_a_step(options, rates, seconds))) as told:
            for some in written:
                rows += some
                told(rows, f"{rows:,} rows")
        since = datetime.fromtimestamp(began, UTC)
        self.stdout.write(f"{rows:,} rows from {since:%Y-%m-%d %H:%M} UTC on in {folder}")

    def _speak(self, options: dict[str, Any]) -> None:
        tally = Tally()
        battery = _battery(options, start=int(time.time() - 3_600 * options["behind"]))
        pace = Pace(battery, options["speed"], options["seconds"])
        with suppress(KeyboardInterrupt), _progress(total=None) as told:

            def on_tick(behind_seconds: float) -> None:
                late = f", {behind_seconds:,.0f} s behind" if behind_seconds > 2 else ""
                told(tally.acknowledged, f"{tally.sent:,} sent, {tally.acknowledged:,} acknowledged{late}")

            if options["mqtt"]:
                prefix = settings.MQTT_PREFIX
                Publishing(options["mqtt"], prefix, options["device"], pace, tally, on_tick).run()
            else:
                with _key(options) as key:
                    url = options["url"] or settings.PORTAL_URL
                    _post(Posting(url, key, options["device"], pace, tally, on_tick))
        self.stdout.write(json.dumps(asdict(tally)) if options["json"] else tally.summary())


def _post(posting: Posting) -> None:
    try:
        asyncio.run(posting.run())
    except Refused as error:
        advice = "Does the portal know the battery, and does the key open it?"
        raise CommandError(f"The portal refused what {posting.battery_id} told: {error}. {advice}") from error


def _battery(options: dict[str, Any], *, start: int) -> SimulatedBattery:
    soc = options["soc"] if options["soc"] is not None else _last_soc(options)
    design = Design(
        seed=options["seed"],
        strings=options["strings"],
        rated_kw=100.0 * options["strings"],
        grid_v=400.0 if options["strings"] == 1 else 690.0,
        start_soc=soc / 100.0,
        ambient_c=options["ambient"],
    )
    return SimulatedBattery(design, start=float(start))


def _last_soc(options: dict[str, Any]) -> float:
    """Return where the battery stands in this portal's own store, so that live readings go on from there."""
    if options["files"]:
        return _DEFAULT_SOC
    state = BatteryState.objects.filter(battery__battery_id=options["device"]).first()
    return float((state.bms or {}).get("soc", _DEFAULT_SOC)) if state else _DEFAULT_SOC


def _rows_a_step(options: dict[str, Any], rates: Mapping[str, int], seconds: int) -> list[float]:
    return [2.0] if options["wide"] else [seconds / rate for rate in rates.values()]


@contextmanager
def _key(options: dict[str, Any]) -> Iterator[str]:
    """Have a key at hand: the given one, or one of a source that is revoked afterwards."""
    if not options["make_key"]:
        if not options["key"]:
            raise CommandError(f"Give --key or {_KEY_VARIABLE}, or --make-key to have one made for this run.")
        yield options["key"]
        return
    now = timezone.now()
    name = f"Simulated {options['device']} {now:%Y-%m-%d %H:%M:%S.%f}"
    source, key = create_source(name=name, scopes=[Scope.BATTERIES], actor=PORTAL, now=now)
    try:
        yield key
    finally:
        revoke_source(source_id=source.public_id, actor=PORTAL, now=timezone.now())


@contextmanager
def _progress(total: float | None) -> Iterator[Callable[[int, str], None]]:
    way = SpinnerColumn() if total is None else BarColumn()
    columns = (way, TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Starting …", total=total)
        yield lambda done, words: progress.update(task, completed=done, description=words)


def _rate(text: str) -> tuple[str, int]:
    name, _, seconds = text.partition("=")
    if name not in RATES or not seconds.isdecimal() or int(seconds) < 1:
        known = ", ".join(RATES)
        raise argparse.ArgumentTypeError(f"{text} is not a signal and whole seconds, as soc=5; there are {known}.")
    return name, int(seconds)


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0.")
        return value

    return read
