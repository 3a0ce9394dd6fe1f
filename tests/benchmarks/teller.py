"""A process that tells news of batteries as the one that stores readings does: by ``services.news``, no database.

It reads a line ``{"batteries", "seconds", "bare"}``, writes a line when it is ready and begins when it reads another.
A reading's ``soc`` is its number and its ``soh`` the instant at which it was told. With ``bare`` it sends to the groups
of :mod:`tests.benchmarks.bare_consumer`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

_TICKS_PER_SECOND = 50
_LAST_SECONDS = 2.0

Tell = Callable[[list[int], datetime, str], None]


def main() -> None:
    """Tell of each battery once a second, evenly spread over the second."""
    job = json.loads(sys.stdin.readline())
    import django

    django.setup()
    with asyncio.Runner() as runner:
        tell = _to_groups(runner) if job["bare"] else _as_news()
        print("ready", flush=True)
        sys.stdin.readline()
        _keep_telling(job["batteries"], job["seconds"], tell)
    time.sleep(_LAST_SECONDS)


def _keep_telling(batteries: list[int], seconds: float, tell: Tell) -> None:
    shares = [batteries[tick::_TICKS_PER_SECOND] for tick in range(_TICKS_PER_SECOND)]
    started = time.time()
    for number in range(int(seconds)):
        for tick, share in enumerate(shares):
            time.sleep(max(0.0, started + number + tick / _TICKS_PER_SECOND - time.time()))
            now = time.time()
            at = datetime.fromtimestamp(now, UTC)
            tell(share, at, _text(at, number, now))


def _as_news() -> Tell:
    from meters.batteries.quantities import System
    from meters.batteries.services import news

    def tell(battery_pks: list[int], at: datetime, text: str) -> None:
        news.told([news.Told(battery_pk, System.BMS, at, text) for battery_pk in battery_pks])

    return tell


def _to_groups(runner: asyncio.Runner) -> Tell:
    from tests.benchmarks import bare_consumer

    def tell(battery_pks: list[int], _at: datetime, text: str) -> None:
        runner.run(bare_consumer.tell(battery_pks, [text] * len(battery_pks)))

    return tell


def _text(at: datetime, number: int, now: float) -> str:
    stamp = at.isoformat().replace("+00:00", "Z")
    return (
        f'{{"timestamp":"{stamp}","soc":{number},"soh":{now:.6f},"voltage":832.41,"current":-120.25,'
        '"cell_avg_voltage":3.2012,"cell_avg_temp":25.75,"cell_max_voltage":3.2104,"cell_min_voltage":3.1907,'
        '"cell_voltage_diff":0.0197,"cell_temp_diff":3.5}'
    )


if __name__ == "__main__":
    main()
