"""Take real files of readings in and hold the portal's totals against readers that share no code with it.

    python -m tests.evaluations.file_totals

NEM files are confirmed by aemo-mdff-reader, Green Button files by an XPath over their interval readings, tables by a
plain sum. The files are those of ``PORTAL_DATA`` (default ``../shared/data``); each goes into an emptied portal of this
evaluation's own. Prints a table, and one line of JSON last; exits with 1 when a total differs.
"""

import csv
import gzip
import json
import os
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import portal

_WIPE = "TRUNCATE meters_meter, meters_registerreading, meters_supersededreading, meters_readingwork CASCADE"
_KWH = {"wh": Decimal("0.001"), "kwh": Decimal(1), "mwh": Decimal(1000)}
_DIALS = {"E": "1.8", "B": "2.8"}
Totals = dict[str, tuple[int, Decimal]]


@dataclass(frozen=True)
class Case:
    """A file, what the portal is told of it, and how to sum it without the portal: values and kWh by meter."""

    name: str
    reader: str
    independent: Callable[[Path, frozenset[int]], Totals]
    options: dict[str, Any] = field(default_factory=dict)


def nem(path: Path, bad_lines: frozenset[int]) -> Totals:
    """Sum what flowed in and out, or what dials showed, but for lines that the portal reports as broken."""
    from aemo_mdff_reader import parse, parse_accumulations

    rows = list(csv.reader(path.read_text().splitlines()))
    good = [[cell.strip() for cell in row] for n, row in enumerate(rows, start=1) if row and n not in bad_lines]
    if any(row[0] == "250" for row in good):
        reads = (
            Decimal(str(value))
            for each in parse_accumulations(good)
            for value in (each.previous_register_read, each.current_register_read)
        )
        return _summed(("dials", value) for value in reads)
    values = (
        (each.nmi_suffix[:1] + each.nmi, Decimal(str(each.value)) * _KWH[each.uom.casefold()])
        for each in parse(good)
        if each.nmi_suffix[:1] in _DIALS and each.uom.casefold() in _KWH
    )
    return _summed((_DIALS[name[0]], value) for name, value in values)


def green_button(path: Path, bad_lines: frozenset[int]) -> Totals:
    """Sum every interval reading, Wh as all of these files are."""
    espi = {"espi": "http://naesb.org/espi"}
    values = ET.parse(path).getroot().findall(".//espi:IntervalReading/espi:value", espi)  # noqa: S314
    return _summed(("1.8", Decimal(value.text or "") / 1000) for value in values)


def table(column: str, *, factor: str = "1") -> Callable[[Path, frozenset[int]], Totals]:
    """Return how to sum a column of a packed table."""

    def total(path: Path, bad_lines: frozenset[int]) -> Totals:
        with gzip.open(path, "rt", newline="") as lines:
            return _summed(("1.8", Decimal(row[column]) * Decimal(factor)) for row in csv.DictReader(lines))

    return total


def _summed(values: Iterable[tuple[str, Decimal]]) -> Totals:
    found: dict[str, list[Decimal]] = defaultdict(list)
    for name, value in values:
        found[name].append(value)
    return {name: (len(each), sum(each, Decimal(0))) for name, each in found.items()}


def cases(folder: Path) -> Iterator[Case]:
    """Yield the files that there are."""
    for path in sorted((folder / "nem12").glob("*.csv")):
        yield Case(f"nem12/{path.name}", "aemo-mdff-reader", nem)
    for path in sorted((folder / "greenbutton").glob("*.xml")):
        yield Case(f"greenbutton/{path.name}", "XPath", green_button)
    if (folder / "singapore_demand_mw.csv.gz").exists():
        yield Case(
            "singapore_demand_mw.csv.gz",
            "sum x 0.5 h",
            table("system_demand_actual", factor="500"),
            {
                "columns": {"time": "date+period_ending_time", "value": "system_demand_actual"},
                "serial": "SG-SYSTEM",
                "unit": "kWh",
                "scale": "500",
                "interval_minutes": 30,
                "zone": "Asia/Singapore",
            },
        )
    if (folder / "households_kwh.csv.gz").exists():
        # Every day of these homes has 48 half-hours: they keep standard time all year.
        yield Case(
            "households_kwh.csv.gz",
            "sum",
            table("general_supply_kwh"),
            {
                "columns": {"serial": "customer_id", "time": "ts", "value": "general_supply_kwh"},
                "unit": "kWh",
                "interval_minutes": 30,
                "labels": "period-start",
                "zone": "Australia/Brisbane",
            },
        )


def taken(case: Case, folder: Path) -> tuple[Any, Totals]:
    """Take a file into an emptied portal; return its report and what the portal then holds."""
    from django.db import connection
    from django.db.models import Count, Sum
    from django.utils import timezone

    from accounts.actors import PORTAL
    from meters.models import RegisterReading
    from meters.services.file_imports import ImportOptions, import_file

    with connection.cursor() as cursor:
        cursor.execute(_WIPE)
    options = ImportOptions(create_meters=True, **case.options)
    path = folder / case.name
    with path.open("rb") as file:
        report = import_file(file=file, name=path.name, options=options, actor=PORTAL, now=timezone.now())
    held: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
    rows = RegisterReading.objects.values("register__code", "register__kind").order_by("register__code")
    for row in rows.annotate(count=Count("time"), total=Sum("value")):
        name = "dials" if row["register__kind"] == "cumulative" else row["register__code"][:3]
        held[name].append((row["count"], row["total"]))
    return report, {name: (sum(n for n, _ in each), sum(total for _, total in each)) for name, each in held.items()}


def main() -> int:
    """Compare every file."""
    folder = Path(os.environ.get("PORTAL_DATA", "../shared/data")).resolve()
    if not folder.is_dir():
        sys.exit(f"There is no folder {folder}: set PORTAL_DATA to the one that holds the files.")
    # These files are older than what a portal takes in by default.
    os.environ["READING_ACCEPTANCE_DAYS"] = str(30 * 366)
    os.environ.setdefault("PORTAL_BENCH_HOME", str(Path(".portal", "evaluations").resolve()))
    checked, wrong = 0, []
    print(f"{'file':<52}{'what':>6}{'stored':>8}{'portal kWh':>21}{'independent kWh':>21}  confirmed by")
    with portal():
        for case in cases(folder):
            report, held = taken(case, folder)
            bad = frozenset(each.line for each in report.problems if each.code in {"value_count", "misplaced_record"})
            expected = case.independent(folder / case.name, bad)
            for name in sorted(held.keys() | expected.keys()) or ["-"]:
                (count, ours), (_, theirs) = (found.get(name, (0, Decimal(0))) for found in (held, expected))
                checked += 1
                wrong += [f"{case.name} {name}"] if ours != theirs else []
                print(f"{case.name:<52}{name:>6}{count:>8}{ours:>21,.3f}{theirs:>21,.3f}  {case.reader}", flush=True)
            if report.problems_by_code:
                print(f"    not entered: {', '.join(f'{code} {n}' for code, n in report.problems_by_code.items())}")
    print(json.dumps({"evaluation": "file_totals", "totals": checked, "wrong": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
