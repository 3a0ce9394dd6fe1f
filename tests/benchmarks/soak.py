"""Whether memory stays flat: a portal under load over HTTP and MQTT, the memory of each of its processes sampled.

``make soak``; no part of the suite or of ``make bench``. ``SOAK_SECONDS`` sets how long (600 unless told),
``SOAK_RATE`` the messages a second over HTTP (500), ``SOAK_MQTT_RATE`` those over MQTT (100). Ends with 1 when the
resident memory of web or gateway grows by more than ``SOAK_GROWTH`` per cent (5) after the first quarter.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from tests.benchmarks.harness import report
from tests.embedded.running import PARTS, ROOT, Portal, free_port, new_home

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
RATE = float(os.environ.get("SOAK_RATE", "500"))
MQTT_RATE = float(os.environ.get("SOAK_MQTT_RATE", "100"))
LARGEST_GROWTH_PERCENT = float(os.environ.get("SOAK_GROWTH", "5"))
DEVICES = 2_000
WINDOW_SHARE, WARM_UP_SHARE = 0.1, 0.25
_JUDGED = ("web worker", "web master", "gateway")
_SOURCE = "soak"

Samples = dict[str, list[tuple[float, float]]]


def main() -> None:
    """Load, sample, judge."""
    for variable in ("DATABASE_URL", "REDIS_URL", "MQTT_URL"):
        os.environ.pop(variable, None)
    with new_home() as home:
        portal = Portal(home, free_port())
        try:
            portal.run(MQTT_SOURCE=_SOURCE)
            key = portal.make_key(_SOURCE)
            simulators = [_simulate(portal, RATE, "--key", key), _simulate(portal, MQTT_RATE, "--mqtt", "--seed=1")]
            samples = sampled(portal, simulators)
            tallies = [json.loads(simulator.communicate()[0]) for simulator in simulators]
        finally:
            portal.process.terminate()
            portal.process.wait(60)
        print(portal.output.read_text()[-3_000:], file=sys.stderr)
    judge(samples, tallies)


def _simulate(portal: Portal, rate: float, *options: str) -> "subprocess.Popen[str]":
    command = [
        sys.executable, "manage.py", "simulate_devices", "--json", f"--seconds={SECONDS}", f"--rate={rate}",
        f"--count={DEVICES}", *options,
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, env=portal.environment(), stdout=subprocess.PIPE, text=True)


def sampled(portal: Portal, simulators: "list[subprocess.Popen[str]]") -> Samples:
    """Sample the resident memory of every process until the simulators end, in MB by seconds since the beginning."""
    found: Samples = defaultdict(list)
    began = time.monotonic()
    while any(simulator.poll() is None for simulator in simulators):
        for part in PARTS:
            for pid in portal.pids_of(part):
                with suppress(OSError, IndexError):
                    status = Path(f"/proc/{pid}/status").read_text()
                    megabytes = int(status.split("VmRSS:")[1].split()[0]) / 1024
                    found[f"{part} {pid}"].append((time.monotonic() - began, megabytes))
        time.sleep(min(2.0, SECONDS / 50))
    return found


def judge(samples: Samples, tallies: list[dict[str, int]]) -> None:
    """Report, and end with 1 when a process grew too much or did not live to the end."""
    growths: dict[str, float] = {}
    figures: dict[str, float] = {}
    for name, series in samples.items():
        early = _median(series, WARM_UP_SHARE)
        late = _median(series, 1 - WINDOW_SHARE)
        if early is None or late is None:
            raise SystemExit(f"{name} did not live from the beginning to the end.")
        growths[name] = 100 * (late / early - 1)
        part, _, pid = name.rpartition(" ")
        figures[f"{part.replace(' ', '_')}_{pid}_mb"] = round(late, 1)
        figures[f"{part.replace(' ', '_')}_{pid}_growth_percent"] = round(growths[name], 2)
    judged = {name: growth for name, growth in growths.items() if name.startswith(_JUDGED)}
    worst = max(judged, key=judged.__getitem__)
    report(
        "soak",
        round(judged[worst], 2),
        "% growth",
        ratio=round(1 + judged[worst] / 100, 4),
        against="resident memory after the warm-up",
        n=sum(tally["acknowledged"] for tally in tallies),
        seconds=SECONDS,
        unanswered=sum(tally["unanswered"] for tally in tallies),
        **figures,
    )
    if judged[worst] > LARGEST_GROWTH_PERCENT:
        raise SystemExit(f"{worst} grew by {judged[worst]:.1f} %.")


def _median(series: list[tuple[float, float]], share: float) -> float | None:
    """Return the median of a tenth of the time from a share of it on; None where nothing was seen."""
    found = [megabytes for seconds, megabytes in series if share <= seconds / SECONDS < share + WINDOW_SHARE]
    return statistics.median(found) if found else None


if __name__ == "__main__":
    main()
