"""A process that sends live readings: ``python -m tests.meters.batteries.sender DATABASE SEED ROUNDS``.

It sends every reading that there is, each in two halves that join, shuffled, from several threads, so many times over,
and prints a line of JSON a request once it is acknowledged.
"""

import json
import random
import sys
import threading

import django
from django.db import connections

BATTERIES = [f"B{number:02}" for number in range(5)]
STEPS = 24
FIRST_US = 25 * 365 * 86_400 * 1_000_000
THREADS, A_REQUEST = 3, 5


def halves() -> list[tuple[str, int, str, float]]:
    """Return battery, µs since 2000, published name and value of everything that is sent."""
    return [
        (battery, FIRST_US + step * 1_000_000, name, float(step + bonus))
        for battery in BATTERIES
        for step in range(STEPS)
        for name, bonus in (("soc", 0), ("voltage", 800))
    ]


def send(seed: int, rounds: int) -> None:
    """Send it all."""
    from meters.batteries.decoding import Reading
    from meters.batteries.quantities import NAMES, System
    from meters.batteries.services.live import writer

    def reading(battery: str, time_us: int, name: str, value: float) -> Reading:
        values = tuple(value if each == name else None for each in NAMES[System.BMS])
        return Reading(System.BMS, battery, time_us, values)

    order = random.Random(seed)
    rows = [row for _ in range(rounds) for row in order.sample(halves(), len(halves()))]
    requests = [rows[start : start + A_REQUEST] for start in range(0, len(rows), A_REQUEST)]
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not requests:
                    return
                request = requests.pop()
            outcomes = writer().submit_sync([reading(*row) for row in request])
            with lock:
                print(json.dumps({"rows": request, "outcomes": outcomes}), flush=True)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer().drain(10)


if __name__ == "__main__":
    django.setup()
    connections["default"].settings_dict["NAME"] = sys.argv[1]
    connections.settings["default"]["NAME"] = sys.argv[1]
    send(int(sys.argv[2]), int(sys.argv[3]))
