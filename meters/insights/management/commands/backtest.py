"""Try the forecasts on any file."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from meters.insights.backtesting import Outcome, backtest
from meters.insights.features import Surroundings
from meters.insights.forecasters.registry import BLEND, UnknownForecaster, names
from meters.insights.management.seriesfiles import CannotUse, Columns, FileRead, FileSeries, read_file, read_holidays
from meters.insights.scoring import Score

_PARTS = ("0-24h", "24-48h", "0-48h")
_RATIOS = ("nmae", "mase", "bias", "median_bias", "coverage")
_BAD_FILE = 2


class Command(BaseCommand):
    """Forecast at each midnight of a file's last days what came then, from what was before, and tell how well."""

    help = (
        "Backtest the forecasts on a table of half-hours (.csv, .csv.gz): at each local midnight of the last days, 0-24"
        " and 24-48 hours ahead, from what the file holds before that midnight and nothing else. The database is not "
        "asked. JSON on the output, progress beside it; exit with 2 when the file cannot be used."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file and how to read it."""
        parser.add_argument("path", type=Path, metavar="FILE")
        parser.add_argument("--time", action="append", required=True, metavar="COL", help="twice or DATE+TIME for two")
        parser.add_argument("--value", action="append", required=True, metavar="COL", help="again for further series")
        parser.add_argument("--id", metavar="COL", help="which series a row is of, in a long table")
        parser.add_argument("--zone", default="UTC", metavar="ZONE", help="IANA: whose midnights (default: UTC)")
        parser.add_argument("--stamps", metavar="ZONE", help="of stamps without an offset, where it is another")
        parser.add_argument("--labels", choices=("period-start", "period-end"), default="period-start")
        parser.add_argument("--days", type=int, default=56)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--forecaster", default=BLEND, help=f"one of {', '.join(names())}")
        parser.add_argument("--holidays", type=Path, metavar="FILE", help="days like 2024-12-25, one a line")
        parser.add_argument("--holiday", metavar="COL", help="true on holidays")
        parser.add_argument("--temperature", metavar="COL", help="°C as observed: used before an origin only")
        parser.add_argument(
            "--foreseen", action="store_true", help="use the temperature after an origin too, as a perfect forecast"
        )
        parser.add_argument("--forecasts", type=Path, metavar="FILE", help="write each forecast there as CSV")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how the forecasts did, by series and over all.

        :raises CommandError: the file cannot be used.
        """
        try:
            read = read_file(options["path"], _columns(options))
            holidays = read_holidays(options["holidays"]) if options["holidays"] else frozenset()
            outcomes = self._outcomes(read.series, holidays, options)
        except (CannotUse, UnknownForecaster) as error:
            raise CommandError(str(error), returncode=_BAD_FILE) from error
        if not any(len(outcome.origins) for outcome in outcomes):
            raise CommandError("No series is longer than a week: nothing to try.", returncode=_BAD_FILE)
        if options["forecasts"]:
            _write_forecasts(options["forecasts"], read.series, outcomes)
        found = _report(read, outcomes, options)
        self.stdout.write(json.dumps(found, indent=1, allow_nan=False) if options["json"] else _table(found))

    def _outcomes(
        self, series: Sequence[FileSeries], holidays: frozenset[int], options: dict[str, Any]
    ) -> list[Outcome]:
        self.stderr.write(f"{len(series)} series, {sum(len(one.grid.values) for one in series)} half-hours.")
        return backtest(
            [one.grid for one in series],
            days=options["days"],
            surroundings=[
                Surroundings(holidays | one.holidays, one.temperature, options["foreseen"]) for one in series
            ],
            seed=options["seed"],
            forecaster=options["forecaster"],
            progress=lambda done, of: self.stderr.write(f"{done} of {of} midnights forecast."),
        )


def _columns(options: dict[str, Any]) -> Columns:
    if options["days"] < 1:
        raise CannotUse("--days must be at least 1.")
    return Columns(
        time=options["time"],
        values=options["value"],
        zone=_zone(options["zone"]),
        stamps=_zone(options["stamps"] or options["zone"]),
        is_end=options["labels"] == "period-end",
        id=options["id"],
        temperature=options["temperature"],
        holiday=options["holiday"],
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError) as error:
        raise CannotUse(f"There is no zone {name!r}.") from error


def _report(read: FileRead, outcomes: Sequence[Outcome], options: dict[str, Any]) -> dict[str, Any]:
    weather = {True: "foreseen", False: "before the origin"}[options["foreseen"]] if options["temperature"] else "none"
    return {
        "file": options["path"].name,
        "rows": read.rows,
        "notes": read.notes,
        "zone": options["zone"],
        "labels": options["labels"],
        "days": options["days"],
        "seed": options["seed"],
        "temperature": weather,
        "mase_scale": "mean absolute error of saying what was a day before, before the first origin",
        "overall": _overall(outcomes),
        "series": {
            one.name: {
                "origins": len(outcome.origins),
                "step_minutes": one.step_seconds / 60,
                "spoke": outcome.spoke,
                "models": {name: _by_part(scores) for name, scores in outcome.scores.items()},
            }
            for one, outcome in zip(read.series, outcomes, strict=True)
        },
    }


def _by_part(scores: Sequence[Score]) -> dict[str, dict[str, Any]]:
    return {part: asdict(score) for part, score in zip(_PARTS, scores, strict=True)}


def _overall(outcomes: Sequence[Outcome]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the means over the series, of the biases also without their signs."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in outcomes[0].scores:
        for place, part in enumerate(_PARTS):
            scores = [outcome.scores[name][place] for outcome in outcomes]
            told: dict[str, Any] = {"series": sum(score.n > 0 for score in scores), "n": sum(s.n for s in scores)}
            for ratio in _RATIOS:
                known = [value for score in scores if (value := getattr(score, ratio)) is not None]
                told[ratio] = float(np.mean(known)) if known else None
                if "bias" in ratio:
                    told[f"absolute_{ratio}"] = float(np.mean(np.abs(known))) if known else None
            found.setdefault(name, {})[part] = told
    return found


def _table(found: dict[str, Any]) -> str:
    lines = [f"{'':16}{'':8}" + "".join(f"{ratio:>13}" for ratio in _RATIOS)]
    for name, parts in found["overall"].items():
        for part, told in parts.items():
            figures = "".join(f"{'-' if told[ratio] is None else format(told[ratio], '.4f'):>13}" for ratio in _RATIOS)
            lines.append(f"{name:16}{part:8}{figures}")
    return "\n".join([*lines, *found["notes"]])


def _write_forecasts(path: Path, series: Sequence[FileSeries], outcomes: Sequence[Outcome]) -> None:
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(["series", "origin", "slot", "median", "mean", "low", "high", "truth"])
        for one, outcome in zip(series, outcomes, strict=True):
            for row, origin in enumerate(outcome.origins):
                local = str(np.datetime64("1970-01-01T00:00") + np.timedelta64(int(origin) * 30, "m"))
                parts = [outcome.told[part][row] for part in ("median", "mean", "low", "high")]
                for slot, values in enumerate(zip(*parts, outcome.truths[row], strict=True)):
                    writer.writerow([one.name, local, slot, *(repr(float(value)) for value in values)])
