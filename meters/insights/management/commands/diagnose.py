"""Tell what is wrong with an appliance from files of the power of its plug."""

import gzip
import json
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from meters.insights.appliances import KINDS
from meters.insights.appliances.kinds import kind_of
from meters.insights.appliances.reading import CannotRead, Samples, read_samples, stretches_of
from meters.insights.diagnosing import NOT_ENOUGH_DATA, Diagnosis, Episode, diagnose_files, figures_of

# Devices with a minute's rhythm are late by some seconds now and then.
_COARSEST_SECONDS = 75.0


class Command(BaseCommand):
    """Tell what is wrong with an appliance from files of the power of its plug.

    Without ``--learn`` the first healthy days of the files tell what is usual.
    """

    help = "Tell what is wrong with an appliance from files of its power (tracebase's lines or CSV, also .gz)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ask for the files, the kind of appliance, and how to read them."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--appliance", required=True, type=kind_of, choices=KINDS)
        parser.add_argument("--learn", nargs="+", type=Path, default=[], metavar="FILE", help="files of healthy days")
        parser.add_argument("--zone", default=settings.TIME_ZONE, help="of times that carry no offset")
        parser.add_argument("--time", dest="time_column", help="column of the times, found by its name unless given")
        parser.add_argument("--value", dest="value_column", help="column of the watts, found by its name unless given")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: object, **options: Any) -> None:
        """Read, diagnose and print.

        :raises CommandError: a file cannot be read.
        """
        samples, learning = self._read(options["files"], options), self._read(options["learn"], options)
        intervals = [held for held in (one.interval_seconds for one in samples) if held is not None]
        told: dict[str, Any] = {"read": _read_of(samples)}
        if intervals and min(intervals) > _COARSEST_SECONDS:
            why = f"There is a sample every {min(intervals):.0f} seconds; one a minute is needed."
            told |= _too_coarse(options["appliance"], why)
        else:
            diagnosis = diagnose_files(options["appliance"], stretches_of(samples), learning=stretches_of(learning))
            told |= _told(diagnosis, bool(learning))
        self.stdout.write(json.dumps(told, allow_nan=False) if options["as_json"] else _in_words(told))

    def _read(self, paths: Sequence[Path], options: dict[str, Any]) -> list[Samples]:
        return [_samples_of(path, options) for path in paths]


def _samples_of(path: Path, options: dict[str, Any]) -> Samples:
    try:
        with gzip.open(path, "rt", errors="replace") if path.suffix == ".gz" else path.open(errors="replace") as lines:
            return read_samples(
                lines,
                zone=ZoneInfo(options["zone"]),
                time_column=options["time_column"],
                value_column=options["value_column"],
            )
    except (OSError, EOFError, CannotRead, ZoneInfoNotFoundError) as error:
        raise CommandError(f"{path}: {error}") from error


def _read_of(samples: Sequence[Samples]) -> dict[str, Any]:
    times = [float(edge) for one in samples for edge in (one.times.min(), one.times.max())]
    intervals = [held for held in (one.interval_seconds for one in samples) if held is not None]
    return {
        "samples": sum(len(one.times) for one in samples),
        "bad_lines": sum(one.bad_lines for one in samples),
        "first": _iso(min(times)),
        "last": _iso(max(times)),
        "usual_interval_seconds": round(min(intervals), 1) if intervals else None,
    }


def _too_coarse(appliance: str, why: str) -> dict[str, Any]:
    return {
        "appliance": appliance,
        "verdict": NOT_ENOUGH_DATA,
        "findings": [],
        "learnt": {},
        "judged": [],
        "not_judged": [{"kind": "all", "why": why}],
    }


def _told(diagnosis: Diagnosis, is_taught: bool) -> dict[str, Any]:
    learnt = diagnosis.learnt
    return {
        "appliance": diagnosis.appliance,
        "verdict": diagnosis.verdict,
        "findings": [_finding_of(episode) for episode in diagnosis.episodes],
        "learnt": {
            "from": "the files given to learn from" if is_taught else "the first healthy days of the file",
            "is_enough": learnt.is_enough,
            "missing": learnt.missing,
            "since": _iso(learnt.since),
            "until": _iso(learnt.until),
            "hours": learnt.hours,
            "usual": figures_of(learnt),
        },
        "judged": list(diagnosis.judged),
        "not_judged": [{"kind": kind, "why": why} for kind, why in diagnosis.not_judged.items()],
    }


def _finding_of(episode: Episode) -> dict[str, Any]:
    finding = episode.finding
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "began_at": _iso(finding.began_at),
        "detected_at": _iso(finding.detected_at),
        "ended_at": _iso(episode.ended_at),
        "cause": finding.cause,
        "evidence": dict(finding.figures),
        "advice": finding.advice,
        "kwh_a_day": finding.kwh_a_day,
        "chart": {label: [[_iso(at), watts] for at, watts in points] for label, points in finding.chart.items()},
    }


def _in_words(told: dict[str, Any]) -> str:
    lines = [f"{told['appliance']}: {told['verdict'].replace('_', ' ')}"]
    for finding in told["findings"]:
        lines += [
            f"- {finding['kind']} ({finding['severity']}), since {finding['began_at']}, seen {finding['detected_at']}",
            f"  {finding['cause']}",
            f"  {finding['advice']}",
        ]
    return "\n".join([*lines, *(f"? {one['kind']}: {one['why']}" for one in told["not_judged"])])


def _iso(second: float | None) -> str | None:
    return None if second is None else datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z")
