"""A process that sends readings three times, shuffled: ``python -m tests.meters.series.sender DATABASE SEED``.

It sends in batches, and prints how many rows had each outcome, as JSON.
"""

import json
import random
import sys
from collections import Counter
from decimal import Decimal

import django
from django.db import connections

KEYS = [(register, number) for register in range(1, 21) for number in range(1200, 1700)]
BATCH = 700


def send(seed: int, using: str = "default") -> Counter[str]:
    """Send every key's reading once."""
    from tests.meters.series.samples import READINGS, readings, write_committed

    keys = random.Random(seed).sample(KEYS, len(KEYS))
    outcomes: Counter[str] = Counter()
    for start in range(0, len(keys), BATCH):
        part = keys[start : start + BATCH]
        values = [Decimal(register * 10_000 + number) for register, number in part]
        outcomes.update(write_committed(READINGS, readings(part, values), using).outcomes)
    return outcomes


if __name__ == "__main__":
    django.setup()
    connections["default"].settings_dict["NAME"] = sys.argv[1]
    totals: Counter[str] = Counter()
    for turn in range(3):
        totals.update(send(10 * turn + int(sys.argv[2])))
    print(json.dumps(totals))
