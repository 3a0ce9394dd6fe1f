"""How well faults of appliances are told, on real healthy days into which faults are put.

Each day of ``PORTAL_DATA/appliances`` is judged by what the other days of the same appliance taught: as it is, which
counts false alarms, and with each fault that its kind can have, from its beginning and from its eighth hour. Found
means that the kind of fault is named on that very day. Against: the share that must be found, so that 1 and more is
enough.
"""

import gzip
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from meters.insights.appliances import Power
from meters.insights.appliances.kinds import HOUR, Fault
from meters.insights.appliances.reading import Samples, read_samples, stretches_of
from meters.insights.diagnosing import diagnose_files
from tests.benchmarks import breaking
from tests.benchmarks.harness import report

TARGET = 0.95
KINDS = {
    "Refrigerator": "refrigerator",
    "Washingmachine": "washing_machine",
    "Dishwasher": "dishwasher",
    "LaundryDryer": "dryer",
    "WaterKettle": "kettle",
    "Coffeemaker": "coffee_maker",
}
_NAME = re.compile(r"(?P<kind>[A-Za-z]+)__dev_(?P<device>\w{6})_(?P<day>[\d.]+)\.csv\.gz")
_ZONE = ZoneInfo("Europe/Berlin")
_LATER_HOURS = 8.0
_PUMPS = {"washing_machine": (15.0, 60.0), "dishwasher": (60.0, 700.0)}

Broken = Callable[[breaking.Floats, breaking.Floats, float], breaking.Floats]


@dataclass(frozen=True, eq=False)
class Day:
    """One file."""

    name: str
    samples: Samples

    @property
    def power(self) -> list[Power]:
        """What it holds, on regular steps."""
        return stretches_of([self.samples])


def days_of(folder: Path) -> dict[tuple[str, str], list[Day]]:
    """Return the days in a folder by kind and device."""
    days: dict[tuple[str, str], list[Day]] = defaultdict(list)
    for path in sorted(folder.glob("*.csv.gz")):
        match = _NAME.fullmatch(path.name)
        if match is None or match["kind"] not in KINDS:
            continue
        with gzip.open(path, "rt") as lines:
            samples = read_samples(lines, zone=_ZONE)
        days[KINDS[match["kind"]], match["device"]].append(Day(path.name, samples))
    return days


def faults_of(kind: str, watts: breaking.Floats) -> Iterator[tuple[str, Fault, Broken]]:
    """Yield the ways in which an appliance of a kind breaks: a name, what is to be found, and what it does."""
    busy = watts[watts > 30]
    running = float(np.median(busy)) / 2 if len(busy) else 30.0
    if kind == "refrigerator":
        yield "never off", Fault.STUCK_ON, partial(breaking.never_off, running_watts=running)
        yield "never on", Fault.DEAD, partial(breaking.never_on, running_watts=running)
        yield "three times as fast", Fault.SHORT_CYCLING, breaking.hurried
        yield "runs in three parts", Fault.SHORT_CYCLING, partial(breaking.chopped, running_watts=running)
        yield "power +30 %", Fault.POWER_DRIFT, partial(breaking.stronger, running_watts=running)
        yield "runs 50 % longer", Fault.SEAL_LEAK, partial(breaking.leaking, running_watts=running)
    elif kind in ("kettle", "coffee_maker"):
        yield "never off", Fault.STUCK_ON, breaking.boiling_on
    else:
        yield "no heating", Fault.NO_HEATING, breaking.cold
        if kind in _PUMPS:
            yield "no pump", Fault.NO_PUMPING, partial(breaking.unpumped, band=_PUMPS[kind])
    if kind != "refrigerator":
        yield "power +30 %", Fault.POWER_DRIFT, partial(breaking.stronger, running_watts=700.0)
    yield "standby +10 W", Fault.STANDBY_CREEP, breaking.standing_by


@dataclass
class Tally:
    """What was found of what was broken."""

    broken: int = 0
    found: int = 0
    named_otherwise: int = 0
    delays: tuple[float, ...] = ()


def judge(days: dict[tuple[str, str], list[Day]]) -> tuple[dict[str, Tally], list[str], int]:
    """Return the tallies by kind of appliance and fault, the false alarms, and how many healthy days were judged."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    alarms, healthy = [], 0
    for (kind, _), own in days.items():
        for day in own:
            learning = [stretch for other in own if other is not day for stretch in other.power]
            said = diagnose_files(kind, day.power, learning=learning)
            healthy += 1
            alarms += [f"{day.name}: {episode.finding.cause}" for episode in said.episodes]
            for hours in (0.0, _LATER_HOURS):
                _break(kind, day, learning, hours, tallies)
    return tallies, alarms, healthy


def _break(kind: str, day: Day, learning: Sequence[Power], hours: float, tallies: dict[str, Tally]) -> None:
    times, watts = day.samples.times, day.samples.watts
    since = float(times.min()) + hours * HOUR
    for name, expected, breaks in faults_of(kind, watts):
        shown = breaks(times, watts, since)
        if np.array_equal(shown, watts):
            continue
        broken = stretches_of([Samples(times, shown, 0)])
        said = {one.finding.kind: one.finding for one in diagnose_files(kind, broken, learning=learning).episodes}
        tally = tallies[f"{kind}: {name}"]
        tally.broken += 1
        if expected in said:
            tally.found += 1
            tally.delays += ((said[expected].detected_at - since) / HOUR,)
        elif said:
            tally.named_otherwise += 1


def main() -> int:
    """Return 1 where there is nothing to judge."""
    folder = Path(os.environ.get("PORTAL_DATA", "../shared/data")) / "appliances"
    days = days_of(folder)
    if not days:
        print(f"No appliances in {folder}: set PORTAL_DATA to the folder that holds them.", file=sys.stderr)
        return 1
    tallies, alarms, healthy = judge(days)
    for name, tally in tallies.items():
        delays = sorted(tally.delays)
        when = f"after {delays[len(delays) // 2]:.1f} h (at most {delays[-1]:.1f} h)" if delays else ""
        print(f"{name:40} {tally.found:3d} of {tally.broken:3d} found, {tally.named_otherwise} named otherwise {when}")
    print(*(f"False alarm: {alarm}" for alarm in alarms), sep="\n")
    broken, found = (sum(getattr(tally, name) for tally in tallies.values()) for name in ("broken", "found"))
    stuck = [delay for name, tally in tallies.items() if name == "refrigerator: never off" for delay in tally.delays]
    report(
        "fault_accuracy",
        round(found / broken, 4),
        "share of injected faults found",
        ratio=round(found / broken / TARGET, 4),
        against=f"{TARGET} must be found",
        n=broken,
        false_alarms_in_40_healthy_days=round(40 * len(alarms) / healthy, 2),
        healthy_days=healthy,
        stuck_on_within_2_hours=round(sum(delay <= 2 for delay in stuck) / max(len(stuck), 1), 4),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
