"""A process that sends device messages: ``python -m tests.meters.devices.sender DATABASE SEED ROUNDS``.

It sends every sample that there is, each in two halves that join, shuffled, from several threads, so many times over,
and prints a line of JSON a request once it is acknowledged.
"""

import json
import random
import sys
import threading

import django
from django.db import connections

DEVICES = [f"plug-{number:02}" for number in range(20)]
STEPS = 100
FIRST_US = 1735732800000000
THREADS, A_REQUEST = 4, 7


def halves() -> list[tuple[str, int, str, float]]:
    """Return device, time, quantity and value of everything that is sent."""
    return [
        (device, FIRST_US + step * 1_000_000, quantity, float(step + bonus))
        for device in DEVICES
        for step in range(STEPS)
        for quantity, bonus in (("power_w", 0), ("temperature_c", 1_000))
    ]


def send(seed: int, rounds: int) -> None:
    """Send it all."""
    from meters.devices.decoding import Sample
    from meters.devices.services.messages import writer

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
            outcomes = writer().submit_sync(
                [Sample(device, time, **{name: value}) for device, time, name, value in request]
            )
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
    import time_machine

    # What is sent is of this day.
    with time_machine.travel(FIRST_US / 1e6 + STEPS):
        send(int(sys.argv[2]), int(sys.argv[3]))
