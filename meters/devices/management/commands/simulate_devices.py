"""Simulate a fleet of devices that speaks to a running portal."""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from accounts.actors import PORTAL
from accounts.roles import Scope
from accounts.services.sources import create_source, revoke_source
from energy_portal.shared.errors import DomainError
from meters.devices.management.simulator.posting import Posting
from meters.devices.management.simulator.publishing import Publishing
from meters.devices.management.simulator.tally import Tally
from meters.devices.simulation import Fleet

_KEY_VARIABLE = "SIMULATOR_KEY"


class Command(BaseCommand):
    """Speak for devices that nobody has, as real ones would."""

    help = (
        "Simulate devices that report power and temperature to the running portal, over HTTP or MQTT: they speak when "
        "something changed, fall silent, repeat themselves and catch up. The portal must be running."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the fleet's size and pace, the way to the portal, and the key."""
        parser.add_argument("--count", type=_positive(int), default=1000, help="devices (default 1000)")
        parser.add_argument(
            "--rate",
            type=_positive(float),
            default=500.0,
            help="messages a second of all, about (default 500)",
        )
        parser.add_argument("--seconds", type=_positive(float), help="how long; until Ctrl-C unless told")
        parser.add_argument(
            "--grace", type=float, default=30.0, metavar="SECONDS", help="for what is under way at the end (default 30)"
        )
        parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same devices (default 0)")
        parser.add_argument("--mqtt", action="store_true", help="publish to the MQTT broker instead of posting")
        parser.add_argument("--url", help=f"default: {settings.PORTAL_URL}, or MQTT_URL with --mqtt")
        parser.add_argument("--connections", type=_positive(int), help="default: 16, or 4 with --mqtt")
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")
        keys = parser.add_mutually_exclusive_group()
        keys.add_argument(
            "--key",
            default=os.environ.get(_KEY_VARIABLE, ""),
            help=f"of a data source that may create devices (default: {_KEY_VARIABLE} in the environment)",
        )
        keys.add_argument(
            "--make-key", action="store_true", help="admit a data source for this run, and revoke it at the end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Speak until the time is up or Ctrl-C, then print one line of what became of it.

        :raises CommandError: no key, no broker, or nothing was taken.
        """
        tally = Tally()
        try:
            with suppress(KeyboardInterrupt), _progress(tally) as on_tick:
                if options["mqtt"]:
                    _publish(tally, on_tick, options)
                else:
                    _post(tally, on_tick, options)
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(asdict(tally)) if options["json"] else tally.summary())
        if tally.sent and not tally.acknowledged:
            raise CommandError("Nothing was taken. Is the portal running, and does the key open it?")


def _post(tally: Tally, on_tick: Callable[[float], None], options: dict[str, Any]) -> None:
    with _key(options) as key:
        posting = Posting(
            url=options["url"] or settings.PORTAL_URL,
            key=key,
            fleet=_fleet(options),
            connections=options["connections"] or 16,
            tally=tally,
            seconds=options["seconds"],
            grace_seconds=options["grace"],
            on_tick=on_tick,
        )
        asyncio.run(posting.run())


def _publish(tally: Tally, on_tick: Callable[[float], None], options: dict[str, Any]) -> None:
    Publishing(
        url=options["url"] or settings.MQTT_URL,
        prefix=settings.MQTT_PREFIX,
        client_id=f"simulator-{options['seed']}",
        fleet=_fleet(options),
        connections=options["connections"] or 4,
        tally=tally,
        seconds=options["seconds"],
        grace_seconds=options["grace"],
        on_tick=on_tick,
    ).run()


def _fleet(options: dict[str, Any]) -> Fleet:
    return Fleet(
        count=options["count"], rate=options["rate"], seed=options["seed"], start_millis=int(1_000 * time.time())
    )


@contextmanager
def _key(options: dict[str, Any]) -> Iterator[str]:
    """Have a key at hand: the given one, or one of a source that is revoked afterwards."""
    if not options["make_key"]:
        if not options["key"]:
            raise CommandError(f"Give --key or {_KEY_VARIABLE}, or --make-key to have one made for this run.")
        yield options["key"]
        return
    now = timezone.now()
    source, key = create_source(
        name=f"Simulated devices {now:%Y-%m-%d %H:%M:%S.%f}",
        scopes=[Scope.DEVICES],
        may_create_devices=True,
        actor=PORTAL,
        now=now,
    )
    try:
        yield key
    finally:
        revoke_source(source_id=source.public_id, actor=PORTAL, now=timezone.now())


@contextmanager
def _progress(tally: Tally) -> Iterator[Callable[[float], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Connecting …", total=None)

        def on_tick(behind_seconds: float) -> None:
            told = f"{tally.sent:,} sent, {tally.acknowledged:,} acknowledged, {tally.retried.total():,} retried"
            if behind_seconds >= 1:
                told += f", {behind_seconds:.0f} s behind"
            progress.update(task, description=told)

        yield on_tick


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0.")
        return value

    return read
