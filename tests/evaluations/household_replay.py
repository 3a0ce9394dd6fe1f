"""Replay a real home through a running portal and hold its bills against an independent sum over the file.

Start the portal (`make run`), then::

    python -m tests.evaluations.household_replay --key KEY --email MANAGER --password PASSWORD

The key needs the scopes accounts, readings and queries. The home's half-hours (period-start labels) are read from
``PORTAL_DATA/households_kwh.csv.gz``; the year 2013 is moved to 2023 and sent as what a register would have shown.
Prints one line of JSON last; exits with 1 when a month differs.
"""

import argparse
import csv
import gzip
import json
import os
import sys
import time
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import requests

ZONE = ZoneInfo("Asia/Singapore")
HALF_HOUR = timedelta(minutes=30)
CENT = Decimal("0.01")
GST_2023 = Decimal("0.08")
RATE_BY_QUARTER = {1: Decimal("0.2895"), 2: Decimal("0.2743"), 3: Decimal("0.2774"), 4: Decimal("0.2870")}
BATCH = 5_000
MONTHS = range(1, 13)


def half_hours_of(home: str, folder: Path) -> list[tuple[datetime, Decimal]]:
    """Return a home's (start, kWh) of 2013, dated 2023."""
    with gzip.open(folder / "households_kwh.csv.gz", "rt", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["customer_id"] == home and row["ts"].startswith("2013")]
    return [
        (
            datetime.fromisoformat(row["ts"]).replace(year=2023, tzinfo=ZONE),
            Decimal(row["general_supply_kwh"]),
        )
        for row in sorted(rows, key=lambda row: row["ts"])
    ]


def dial_of(half_hours: list[tuple[datetime, Decimal]]) -> list[tuple[datetime, Decimal]]:
    """Turn energies into what a register shows: a read wherever one of its half-hours is known."""
    shown, reads = Decimal(1_000), {}
    for start, energy in half_hours:
        reads[start] = shown
        shown += energy
        reads[start + HALF_HOUR] = shown
    return sorted(reads.items())


class Portal:
    """The portal as a machine and a manager reach it."""

    def __init__(self, url: str, key: str, email: str, password: str) -> None:
        self.url = url.rstrip("/")
        self.machine = {"Authorization": f"Bearer {key}"}
        token = self._ask("POST", "/api/v1/auth/token", {}, json={"email": email, "password": password})
        self.manager = {"Authorization": f"Bearer {token['access']}"}

    def _ask(self, method: str, path: str, headers: dict[str, str], **more: Any) -> Any:
        answer = requests.request(method, self.url + path, headers=headers, timeout=300, **more)
        if not answer.ok:
            sys.exit(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        return answer.json()

    def register(self, account: str, meter: str) -> None:
        body = {
            "account_id": account,
            "owner_name": "A real home",
            "email": "home@example.org",
            "address": "Replayed",
            "time_zone": str(ZONE),
            "meter_ids": [meter],
        }
        self._ask("POST", "/register_account", self.machine, json=body)

    def send(self, meter: str, reads: list[tuple[datetime, Decimal]]) -> int:
        stored = 0
        for first in range(0, len(reads), BATCH):
            rows = [
                {"meter_id": meter, "timestamp": at.isoformat(), "reading": float(shown)}
                for at, shown in reads[first : first + BATCH]
            ]
            report = self._ask("POST", "/receive_meter_reading", self.machine, json={"readings": rows})
            if report["rejected"] or report["conflicts"]:
                sys.exit(f"The portal refused rows: {report['rejected'][:3]} {report['conflicts'][:3]}")
            stored += report["stored"]
        return stored

    def month(self, meter: str, start: datetime, end: datetime) -> Decimal:
        query = {"meter_id": meter, "period": "custom", "from": start.isoformat(), "to": end.isoformat()}
        answer = self._ask("GET", "/get_consumption", self.machine, params=query)
        return Decimal(str(answer["consumption_kwh"]))

    def bill(self, account: str, month: int) -> dict[str, Any]:
        name = f"2023-{month:02d}"
        self._ask("POST", "/api/v1/bill-runs", self.manager, json={"month": name})
        for _ in range(300):
            page = self._ask("GET", "/api/v1/bills", self.manager, params={"account": account, "month": name})
            if page["results"]:
                return dict(page["results"][0])
            time.sleep(1)
        sys.exit(f"No bill for {name} after five minutes.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", required=True)
    parser.add_argument("--email", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--home", default="10006414")
    options = parser.parse_args()
    folder = Path(os.environ.get("PORTAL_DATA", "../shared/data"))
    if not (folder / "households_kwh.csv.gz").exists():
        sys.exit(f"No households_kwh.csv.gz in {folder}: set PORTAL_DATA to the folder that holds it.")
    half_hours = half_hours_of(options.home, folder)
    portal = Portal(options.url, options.key, options.email, options.password)
    account, meter = f"HOME-{options.home}-{int(time.time())}", f"M-{options.home}-{int(time.time())}"
    portal.register(account, meter)
    reads = dial_of(half_hours)
    stored = portal.send(meter, reads)
    expected: dict[int, Decimal] = defaultdict(Decimal)
    for start, energy in half_hours:
        expected[start.month] += energy
    wrong = []
    for month in MONTHS:
        start = datetime(2023, month, 1, tzinfo=ZONE)
        end = datetime(2023 + month // 12, month % 12 + 1, 1, tzinfo=ZONE)
        metered = portal.month(meter, start, end)
        bill = portal.bill(account, month)
        subtotal = (expected[month] * RATE_BY_QUARTER[(month + 2) // 3]).quantize(CENT, ROUND_HALF_UP)
        total = subtotal + (subtotal * GST_2023).quantize(CENT, ROUND_HALF_UP)
        agrees = metered == expected[month] and Decimal(bill["total"] or "-1") == total
        print(
            f"2023-{month:02d}  {expected[month]:>9} kWh  {metered:>9} metered  {total:>8} due  {bill['total']} billed"
        )
        if not agrees:
            wrong.append(month)
    print(json.dumps({"evaluation": "household_replay", "reads": stored, "months": len(MONTHS), "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
