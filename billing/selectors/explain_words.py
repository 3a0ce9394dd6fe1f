"""What a bill's lines say, in sentences that a customer reads and a machine passes on."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils.formats import date_format
from django.utils.translation import gettext

from billing.models import Bill, BillLine
from billing.rating.terms import DemandTerms, EnergyTerms, decode
from billing.rating.words import when_in_words
from meters.models import Quality

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_TENTH = Decimal("0.1")


@dataclass(frozen=True)
class LineWords:
    """A line in sentences: whose prices it follows, what they charge, and where its quantity is from."""

    version: str
    charge: str
    quantity: str


def words_of(line: BillLine, *, bill: Bill, site: ZoneInfo) -> LineWords:
    """Put a line into words.

    :param line: with its service point, version and component.
    :param site: the clock of its days.
    """
    return LineWords(_version(line), _charge(line, bill.currency), _quantity(line, bill, site))


def day_in_words(day: date) -> str:
    """Write a day as people say it: 3 February 2025."""
    return date_format(day, gettext("j F Y"))


def span_in_words(first: date, last: date) -> str:
    """Write local days, the last one included."""
    if first == last:
        return day_in_words(first)
    return gettext("%(first)s to %(last)s") % {"first": day_in_words(first), "last": day_in_words(last)}


def number_in_words(number: Decimal) -> str:
    """Write a number without zeros at its end."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quality_in_words(quality: int | None, *, estimated: bool) -> str:
    """Say how good the reads behind an energy are; None: no read ends it."""
    if quality is None:
        return gettext("estimated: spread evenly between the reads around it") if estimated else gettext("no reading")
    words = {
        Quality.EDITED: gettext("corrected"),
        Quality.REFERENCE_DAY: gettext("estimated from a similar day"),
        Quality.LINEAR: gettext("estimated: on a line between two reads"),
        Quality.QUESTIONABLE: gettext("questionable"),
        Quality.DERIVED: gettext("derived"),
        Quality.PROJECTED: gettext("estimated: projected"),
    }
    if quality in words:
        return words[Quality(quality)]
    return gettext("partly estimated") if estimated else gettext("measured")


def role_in_words(role: str) -> str:
    """Say why a read was looked at."""
    words = {
        "installed": gettext("meter installed"),
        "removed": gettext("meter removed"),
        "summed": gettext("half-hours added up"),
    }
    return words.get(role, gettext("read"))


def _version(line: BillLine) -> str:
    if line.tariff_version is not None:
        version = line.tariff_version
        name = f"{version.tariff.name}, {version.name}"
        if version.revision > 1:
            name = gettext("%(name)s, revision %(number)s") % {"name": name, "number": version.revision}
        return f"{name}: {_effective(version.effective)}"
    if line.tax_version is not None:
        return f"{line.tax_version.tax.name}: {_effective(line.tax_version.effective)}"
    return ""


def _effective(days: DateRange) -> str:
    first: date | None = days.lower
    last = None if days.upper is None else days.upper - _DAY
    if first is not None and last is not None:
        return gettext("in force from %(span)s") % {"span": span_in_words(first, last)}
    if last is not None:
        return gettext("in force until %(last)s") % {"last": day_in_words(last)}
    if first is not None:
        return gettext("in force since %(first)s") % {"first": day_in_words(first)}
    return gettext("in force at all times")


def _charge(line: BillLine, currency: str) -> str:
    match line.kind:
        case BillLine.Kind.ENERGY:
            words = gettext("Each kWh%(hours)s costs %(price)s.")
        case BillLine.Kind.EXPORT:
            words = gettext("Each kWh that went out%(hours)s is credited with %(price)s.")
        case BillLine.Kind.DEMAND:
            words = gettext("Each kW of the highest half-hour%(hours)s costs %(price)s a month.")
        case BillLine.Kind.FIXED if line.unit == "months":
            words = gettext("Each month of supply costs %(price)s, whatever is used.")
        case BillLine.Kind.FIXED:
            words = gettext("Each day of supply costs %(price)s, whatever is used.")
        case BillLine.Kind.MINIMUM:
            words = gettext("What these prices come to has a least amount.")
        case _:
            words = gettext("%(percent)s %% of the lines before tax.")
    price = f"{currency} {_price(line.rate)}"
    return words % {"hours": _hours(line), "price": price, "percent": number_in_words(line.rate * 100)}


def _hours(line: BillLine) -> str:
    """Say which hours and step a line's rate holds for; nothing where it holds for all."""
    name, when = line.detail.get("period_name", ""), _when(line)
    if name and when:
        hours = gettext(" in the hours named %(name)s (%(when)s)") % {"name": name, "when": when}
    elif when:
        hours = f" ({when})"
    else:
        hours = gettext(" in the hours named %(name)s") % {"name": name} if name else ""
    return hours + _tier(line)


def _when(line: BillLine) -> str:
    terms = terms_of(line)
    if terms is None or terms.weekday is None:
        return ""
    return when_in_words(terms, line.detail.get("period", 0), gettext=gettext)


def terms_of(line: BillLine) -> EnergyTerms | DemandTerms | None:
    """Return what a line's component charges by hours or steps; None where it has none."""
    if line.component is None:
        return None
    terms = decode(line.component.kind, line.component.terms)
    return terms if isinstance(terms, EnergyTerms | DemandTerms) else None


def _tier(line: BillLine) -> str:
    detail = line.detail
    if detail.get("tiers", 1) <= 1:
        return ""
    unit = "kW" if line.kind == BillLine.Kind.DEMAND else "kWh"
    lower = number_in_words(Decimal(detail.get("tier_from") or 0))
    if detail.get("tier_up_to") is None:
        return gettext(" above %(lower)s %(unit)s") % {"lower": lower, "unit": unit}
    upper = number_in_words(Decimal(detail["tier_up_to"]))
    if lower == "0":
        return gettext(" up to %(upper)s %(unit)s") % {"upper": upper, "unit": unit}
    return gettext(" from %(lower)s up to %(upper)s %(unit)s") % {"lower": lower, "upper": upper, "unit": unit}


def _quantity(line: BillLine, bill: Bill, site: ZoneInfo) -> str:
    if bill.kind == Bill.Kind.CREDIT_NOTE:
        return gettext("This takes back what the same line of the bill before it charged.")
    match line.kind:
        case BillLine.Kind.ENERGY:
            words = gettext("The energy that was used at %(place)s, %(span)s.") + _counted(line)
        case BillLine.Kind.EXPORT:
            words = gettext("The energy that went out at %(place)s, %(span)s.") + _counted(line)
        case BillLine.Kind.FIXED:
            words = gettext("The time of supply at %(place)s, %(span)s.")
        case BillLine.Kind.DEMAND:
            return _demand(line, site)
        case BillLine.Kind.MINIMUM:
            return _minimum(line, bill.currency)
        case _:
            words = gettext("The lines before tax, added up.")
    return words % {
        "span": _span(line, site),
        "place": line.service_point.code if line.service_point is not None else "",
    }


def _span(line: BillLine, site: ZoneInfo) -> str:
    last = (line.period.upper - _INSTANT).astimezone(site).date()
    return span_in_words(line.period.lower.astimezone(site).date(), last)


def _counted(line: BillLine) -> str:
    if line.detail.get("tiers", 1) <= 1:
        return ""
    return " " + gettext("It is counted from the first day of the bill; this line holds the part in its step.")


def _demand(line: BillLine, site: ZoneInfo) -> str:
    at = datetime.fromisoformat(line.detail["at"]).astimezone(site)
    share = Decimal(line.detail.get("share", 1))
    words = gettext("The highest half-hour began on %(day)s at %(time)s.") % {
        "day": day_in_words(at.date()),
        "time": f"{at:%H:%M}",
    }
    if share == 1:
        return words
    days = gettext("The line has %(percent)s %% of the month's days, and pays that share of the price.")
    return f"{words} {days % {'percent': number_in_words((100 * share).quantize(_TENTH))}}"


def _minimum(line: BillLine, currency: str) -> str:
    if "least" not in line.detail:
        return gettext("What the lines came to less than the least amount.")
    return gettext("The lines came to %(currency)s %(reached)s, the least is %(currency)s %(least)s.") % {
        "currency": currency,
        "reached": line.detail["reached"],
        "least": line.detail["least"],
    }


def _price(rate: Decimal) -> str:
    decimals = max(2, len(number_in_words(rate).partition(".")[2]))
    return f"{rate:,.{decimals}f}"
