"""Score each half-hour of a file by how unusual it is."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from energy_portal.shared.clock import zone
from energy_portal.shared.errors import DomainError
from meters.formats.series_file import LABELS, SeriesTable, read_series_file
from meters.insights.screening import ScreenedSeries, screen_series

_MOST_SHOWN = 20
_SEED = 20_240_000


class Command(BaseCommand):
    """Screen the series of a file for anomalies, each half-hour by what came before it."""

    help = (
        "Score the half-hours of a CSV file (.csv, .csv.gz) from 0, usual, to 1; the score of each uses nothing after "
        "it. The first weeks, from which is learnt what is usual, have none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, and what its columns are."""
        parser.add_argument("path", type=Path, metavar="FILE.csv")
        parser.add_argument("--time", required=True, metavar="COL", help="column of times; date+clock joins two")
        parser.add_argument("--value", required=True, metavar="COL", help="column of values, of any unit")
        parser.add_argument("--zone", required=True, metavar="ZONE", help="Asia/Singapore: where times lack an offset")
        parser.add_argument("--labels", required=True, choices=LABELS, help="what a time is of its half-hour")
        parser.add_argument("--id", default="", metavar="COL", help="column that tells which series a row is of")
        parser.add_argument("--unit", default="", metavar="UNIT", help="of the values, for the words: kWh, MW")
        parser.add_argument("--seed", type=int, default=_SEED, help="of the detectors that are learnt")
        parser.add_argument("--json", action="store_true", help="print a score for every half-hour as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the scores, or the stretches that stand out.

        :raises CommandError: no such file, column or zone, or nothing that is half-hourly (2).
        """
        try:
            zone_ = zone(options["zone"])
            tables = read_series_file(
                options["path"],
                time=options["time"],
                values=[options["value"]],
                zone=zone_,
                labels=options["labels"],
                name_column=options["id"],
            )
        except (DomainError, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        found = []
        for table in tables:
            values = table.columns[options["value"]]
            screened = screen_series(table.starts, values, zone_, seed=options["seed"], unit=options["unit"])
            found.append(_told(table, values, screened, zone_))
        if options["json"]:
            self.stdout.write(json.dumps({"zone": options["zone"], "series": found}, allow_nan=False))
        else:
            self._tell(found)

    def _tell(self, found: list[dict[str, Any]]) -> None:
        for series in found:
            name = f"{series['id']}: " if series["id"] else ""
            self.stdout.write(
                f"{name}{series['scored']} of {len(series['half_hours'])} half-hours scored, "
                f"{len(series['episodes'])} stretches stand out ({series['alerts_a_week']} a week)."
            )
            if series["reason"]:
                self.stdout.write(f"  {series['reason']}")
            worst = sorted(series["episodes"], key=lambda each: -each["score"])[:_MOST_SHOWN]
            for each in sorted(worst, key=lambda each: str(each["start"])):
                self.stdout.write(f"  {each['start']}  {each['kind']:12} {each['score']:.2f}  {each['reason']}")


def _told(table: SeriesTable, values: Any, screened: ScreenedSeries, zone_: ZoneInfo) -> dict[str, Any]:
    scored = int(np.isfinite(screened.score).sum())
    alerts = len(screened.episodes)
    return {
        "id": table.name,
        "reason": screened.reason,
        "scored": scored,
        "repeated_rows": table.repeated,
        "bad_rows": table.bad,
        "alerts_a_week": round(alerts / (scored / 336), 3) if scored else 0.0,
        "half_hours": [
            {
                "time": table.stamps[place],
                "utc": _utc(start),
                "value": _number(values[place]),
                "score": _number(screened.score[place]),
                "kind": screened.kinds[place],
                **({"detectors": _said(screened, place)} if screened.kinds[place] else {}),
            }
            for place, start in enumerate(table.starts.tolist())
        ],
        "episodes": [
            {**asdict(each), "start": _utc(begin), "end": _utc(end), "detectors": _rounded(each.detectors)}
            for each, begin, end in zip(screened.episodes, screened.begins, screened.ends, strict=True)
        ],
    }


def _said(screened: ScreenedSeries, place: int) -> dict[str, float]:
    return _rounded({name: float(each[place]) for name, each in screened.parts.items() if np.isfinite(each[place])})


def _utc(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: float) -> float | None:
    return round(float(value), 9) if np.isfinite(value) else None


def _rounded(said: dict[str, float]) -> dict[str, float]:
    return {name: round(each, 4) for name, each in said.items()}
