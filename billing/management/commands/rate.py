import json
from argparse import ArgumentParser
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing.models import Tariff
from billing.selectors.quotes import Quote, quote_components, quote_tariff
from billing.selectors.tariffs import components_of_rate
from billing.urdb import NotARate, decode_document
from energy_portal.shared.clock import LabelConvention, Period, local_day, zone
from energy_portal.shared.errors import DomainError
from meters.formats.layout import Stamps
from meters.formats.profile import Profile, read_profile


class Command(BaseCommand):
    help = (
        "Price half-hours from a file (columns time and kwh) by any tariff: a code of the portal's, or a file of the "
        "Utility Rate Database, whose dates are then ignored and which has no tax."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tariff", metavar="TARIFF", help="A code, or a file of the Utility Rate Database.")
        parser.add_argument("profile", type=Path, metavar="PROFILE.csv")
        parser.add_argument("--zone", default=settings.SITE_ZONE, help="The place's clock; otherwise the site's.")
        parser.add_argument("--from", dest="start", type=date.fromisoformat, help="First local day, YYYY-MM-DD.")
        parser.add_argument("--to", dest="after", type=date.fromisoformat, help="First local day after, YYYY-MM-DD.")
        labels = [each.replace("_", "-") for each in LabelConvention]
        parser.add_argument("--labels", choices=labels, default="period-end", help="What the times of the file name.")
        parser.add_argument("--interval", type=int, default=30, metavar="MINUTES", help="How long its rows count.")
        parser.add_argument("--json", action="store_true", help="Answer as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            site = zone(options["zone"])
            profile = _profile(options, site)
            period = _period(profile, options["start"], options["after"], site)
            quote = _quote(options["tariff"], profile, site, period)
        except DomainError as error:
            raise CommandError(str(error)) from error
        answer = quote_as_data(quote, site)
        if options["json"]:
            self.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False))
            return
        self.stdout.write(f"{answer['energy_kwh']} kWh from {answer['from']} to {answer['to']} ({site.key})")
        for month in answer["months"]:
            self.stdout.write(f"{month['from'][:10]}")
            for line in month["lines"]:
                self.stdout.write(f"  {line['words']:<64} {line['amount']:>12}")
        for name in ("subtotal", "tax", "total"):
            self.stdout.write(f"{name:<66} {answer[name]:>12} {quote.currency}")


def quote_as_data(quote: Quote, site: ZoneInfo) -> dict[str, Any]:
    """Return a quote as JSON has it: amounts as text, times on the place's clock."""
    months = [
        {
            "from": _local(month.start, site),
            "to": _local(month.end, site),
            "subtotal": str(rated.subtotal),
            "tax": str(rated.tax),
            "total": str(rated.total),
            "lines": [
                {
                    "kind": line.kind,
                    "component": line.component.name if line.component else None,
                    "words": _words(line.kind, line.component.name if line.component else "", line.detail, line.tax),
                    "quantity": f"{line.quantity:f}",
                    "unit": line.unit,
                    "rate": f"{line.rate:f}",
                    "amount": str(line.amount),
                    "detail": line.detail,
                }
                for line in rated.lines
            ],
        }
        for month, rated in quote.months
    ]
    return {
        "currency": quote.currency,
        "zone": site.key,
        "from": months[0]["from"],
        "to": months[-1]["to"],
        "energy_kwh": f"{quote.energy_kwh:f}",
        "subtotal": str(quote.subtotal),
        "tax": str(quote.tax),
        "total": str(quote.total),
        "components": [{"kind": cost.kind, "name": cost.name, "amount": str(cost.amount)} for cost in quote.components],
        "months": months,
    }


def _local(instant: datetime, site: ZoneInfo) -> str:
    return instant.astimezone(site).isoformat()


def _words(kind: str, name: str, detail: dict[str, Any], tax: Any) -> str:
    if kind == "tax":
        return str(tax.name)
    parts = [name, detail.get("period_name") or ""]
    if detail.get("tiers", 1) > 1:
        upper = detail.get("tier_up_to")
        parts.append(f"from {detail['tier_from']} up to {upper}" if upper else f"above {detail['tier_from']}")
    return ", ".join(part for part in parts if part)


def _profile(options: dict[str, Any], site: ZoneInfo) -> Profile:
    stamps = Stamps(site, LabelConvention(options["labels"].replace("-", "_")))
    try:
        with options["profile"].open("rb") as file:
            return read_profile(file, stamps=stamps, interval_minutes=options["interval"])
    except OSError as error:
        raise CommandError(str(error)) from error


def _period(profile: Profile, start: date | None, after: date | None, site: ZoneInfo) -> Period:
    begin = local_day(start, site).start if start else profile.imported.start
    end = local_day(after, site).start if after else profile.imported.end
    if end <= begin:
        raise CommandError("The period ends before it starts.")
    return Period(begin, end)


def _quote(named: str, profile: Profile, site: ZoneInfo, period: Period) -> Quote:
    tariff = Tariff.objects.select_related("tax").filter(code=named).first()
    if tariff is not None:
        return quote_tariff(
            tariff=tariff, profile=profile.imported, exported=profile.exported, zone=site, period=period
        )
    path = Path(named)
    if not path.is_file():
        raise CommandError(f"{named} is neither a tariff's code nor a file.")
    try:
        rates = decode_document(json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal))
    except (NotARate, ValueError) as error:
        raise CommandError(f"{path}: {error}") from error
    if len(rates) > 1 or rates[0].faults:
        said = " ".join(str(fault) for rate in rates for fault in rate.faults)
        raise CommandError(said or f"{path} holds {len(rates)} rates: one is needed.")
    return quote_components(
        components=components_of_rate(rates[0]),
        currency=rates[0].identity.currency,
        tax=None,
        profile=profile.imported,
        exported=profile.exported,
        zone=site,
        period=period,
    )
