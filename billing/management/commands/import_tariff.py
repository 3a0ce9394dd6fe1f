import json
import re
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.actors import PORTAL
from billing.services.importing import Imported, RateImport, import_rate, origin
from billing.urdb import DecodedRate, Level, NotARate, Remark, decode_document
from energy_portal.shared.errors import DomainError

_EVENTS = re.compile(r"(?:^|[^a-z])CPP(?:[^a-z]|$)", re.IGNORECASE)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Command(BaseCommand):
    help = (
        "Store rates of the Utility Rate Database (JSON) as tariffs, and say what of them is not charged or is wrong. "
        "A repeat adds nothing; other prices from the same day on make a revision, from another day on a version. "
        "Files given together are compared with each other."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--code", default="", help="The tariff's code; otherwise made of utility and name.")
        parser.add_argument("--name", default="", help="The tariff's name; otherwise the rate's.")
        parser.add_argument("--tax", default="", help="The code of the tax on it, such as GST; otherwise none.")
        parser.add_argument("--service-class", default="", help="The service points that it is for; otherwise all.")
        parser.add_argument("--from", dest="start", type=date.fromisoformat, help="First local day, YYYY-MM-DD.")
        parser.add_argument("--currency", help="Such as EUR; otherwise that of the rate's country.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would happen, and store nothing.")
        parser.add_argument("--json", action="store_true", help="Answer as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        read = _rates(options["files"], options["currency"])
        if options["code"] and len(read) > 1:
            raise CommandError("--code names one tariff, and there are more rates than one.")
        chosen = RateImport(
            code=options["code"],
            name=options["name"],
            tax_code=options["tax"],
            service_class=options["service_class"],
            start=options["start"],
        )
        results = []
        with transaction.atomic():
            for path, rate in read:
                results.append(_result(path, rate, chosen))
            transaction.set_rollback(options["dry_run"])
        if options["json"]:
            answer = {"dry_run": options["dry_run"], "rates": results}
            self.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False))
        else:
            self._tell(results, dry_run=options["dry_run"])
        refused = sum(1 for result in results if result["outcome"] == "refused")
        if refused:
            raise CommandError(f"{refused} of {len(results)} rates could not be imported.")

    def _tell(self, results: Sequence[dict[str, Any]], *, dry_run: bool) -> None:
        for result in results:
            self.stdout.write(f"{result['file']}: {result['rate']}")
            self.stdout.write(f"  {_sentence(result)}{' (dry run: nothing is stored)' if dry_run else ''}")
            for remark in result["remarks"]:
                self.stdout.write(f"  {remark['level']:<8} {remark['path']}: {remark['text']}")


def _rates(files: Iterable[Path], currency: str | None) -> list[tuple[Path, DecodedRate]]:
    """Read every file's rates as one document, so that they are compared with each other."""
    places: list[Path] = []
    items: list[Any] = []
    for path in files:
        try:
            data = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} cannot be read: {error}") from error
        try:
            decode_document(data, currency=currency)
        except NotARate as error:
            raise CommandError(f"{path}: {error}") from error
        held = data["items"] if isinstance(data, dict) and "items" in data else data
        held = held if isinstance(held, list) else [held]
        items += held
        places += [path] * len(held)
    return list(zip(places, decode_document(items, currency=currency), strict=True))


def _result(path: Path, rate: DecodedRate, chosen: RateImport) -> dict[str, Any]:
    remarks: Sequence[Remark] = rate.remarks
    result: dict[str, Any] = {"file": path.name, "rate": origin(rate), "label": rate.identity.label}
    try:
        with transaction.atomic():
            imported = import_rate(rate=rate, chosen=chosen, actor=PORTAL, now=timezone.now())
    except DomainError as error:
        result |= {"outcome": "refused", "because": str(error)}
    else:
        remarks = imported.remarks
        result |= {"outcome": imported.outcome.value, **_version_of(imported)}
    remarks = [*_file_remarks(path, chosen.start or rate.identity.start), *remarks]
    return {**result, "remarks": [{"level": item.level, "path": item.path, "text": item.text} for item in remarks]}


def _version_of(imported: Imported) -> dict[str, Any]:
    days = imported.version.effective
    return {
        "code": imported.tariff.code,
        "version": imported.version.name,
        "revision": imported.version.revision,
        "from": days.lower.isoformat() if days.lower else None,
        "to": days.upper.isoformat() if days.upper else None,
        "components": [
            {"kind": item.kind, "name": item.name} for item in imported.version.components.order_by("position")
        ],
    }


def _file_remarks(path: Path, start: date | None) -> list[Remark]:
    remarks = []
    if _EVENTS.search(path.name):
        text = "It speaks of critical-peak prices (CPP): prices of single events are not in the rate."
        remarks.append(Remark(Level.WARNING, "file name", text))
    named = _DAY.search(path.name)
    if named and start and named[0] != start.isoformat():
        remarks.append(Remark(Level.NOTE, "file name", f"It says {named[0]}, and the rate starts on {start}."))
    return remarks


def _sentence(result: dict[str, Any]) -> str:
    if result["outcome"] == "refused":
        return f"refused: {result['because']}"
    revision = f", revision {result['revision']}" if result["revision"] > 1 else ""
    charges = ", ".join(component["name"] for component in result["components"])
    return f"{result['outcome']}: tariff {result['code']}, version {result['version']}{revision} ({charges})"
