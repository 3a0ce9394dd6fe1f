"""Whose rate it is, since when, for whom: and what in that cannot be so."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.urdb.remarks import Remarks
from billing.urdb.structures import number

_CURRENCIES = {
    "USA": "USD", "CAN": "CAD", "MEX": "MXN", "GBR": "GBP", "IRL": "EUR", "FRA": "EUR", "DEU": "EUR", "ESP": "EUR",
    "ITA": "EUR", "NLD": "EUR", "AUS": "AUD", "NZL": "NZD", "IND": "INR", "SGP": "SGD", "JPN": "JPY", "ZAF": "ZAR",
    "BRA": "BRL", "PHL": "PHP", "KEN": "KES", "NGA": "NGN", "CHN": "CNY", "CHE": "CHF",
}  # fmt: skip

# Numbers of the United States Energy Information Administration, and a word of the utility's name.
_EIA = {17609: "Southern California Edison", 16609: "San Diego Gas", 14328: "Pacific Gas"}

_PLACEHOLDER = re.compile(
    r"\s*(?:(?:add|insert|enter|your|write|type|fill in)\s+(?:\w+\s+){0,3}"
    r"(?:description|comments?|name|text|source|here|utility)|todo|tbd|tba|n/?a|none|null|lorem ipsum.*|x{2,}|-+|\?+"
    r"|placeholder|test|description|comments?)\s*[.:]?\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[0-9a-f]{24}")
_LATEST_SECOND = 1e11
_CONDITIONS = {
    "peakkwcapacitymin": "a demand of {} kW at the least",
    "peakkwcapacitymax": "a demand of {} kW at the most",
    "peakkwhusagemin": "a use of {} kWh at the least",
    "peakkwhusagemax": "a use of {} kWh at the most",
    "voltageminimum": "a voltage of {} V at the least",
    "voltagemaximum": "a voltage of {} V at the most",
    "voltagecategory": "voltage: {}",
    "phasewiring": "wiring: {}",
}
_TEXTS = ("description", "energycomments", "demandcomments", "basicinformationcomments", "source")
_EDITED = re.compile(r"neat(?:\s+formatting)?$|\bcopy(?: of|$)|\(\d\)$|\bdraft\b|\bfinal$", re.IGNORECASE)
_KILOVOLTS = re.compile(r"(?:below|under|less than|<)\s*(\d+(?:\.\d+)?)\s*kV", re.IGNORECASE)
_EVENTS = re.compile(r"critical[ -]peak|\bCPP\b|peak[ -]day pricing|demand response event", re.IGNORECASE)


@dataclass(frozen=True)
class Identity:
    """Whose rate it is; ``end`` is the first day on which it holds no more."""

    label: str
    utility: str
    name: str
    sector: str
    source: str
    description: str
    supersedes: str
    currency: str
    start: date | None
    end: date | None


def read_identity(rate: Mapping[str, Any], remarks: Remarks, *, currency: str | None = None) -> Identity:
    """Read whose rate it is, and remark on what contradicts itself."""
    texts = {member: _text(rate.get(member)) for member in ("utility", "name", *_TEXTS)}
    for member in ("utility", "name"):
        if not texts[member]:
            remarks.fault(member, "It is missing: nobody could tell whose rate this is.")
    for member, text in texts.items():
        if text and _PLACEHOLDER.fullmatch(text):
            remarks.warn(member, f"{text!r} is what a form suggests: nobody wrote the text.")
    if found := _EDITED.search(texts["name"]):
        remarks.warn("name", f"It has {found[0]!r}, which is no name of a rate: somebody edited the file by hand.")
    label = _text(rate.get("label"))
    _look_at_label(rate, label, remarks)
    _look_at_utility(rate, texts["utility"], remarks)
    _look_at_conditions(rate, remarks)
    start = _day(rate, "startdate", remarks)
    last = _day(rate, "enddate", remarks)
    if start and last and last < start:
        remarks.fault("enddate", f"It is {last}, before the start on {start}.")
    return Identity(
        label=label,
        utility=texts["utility"],
        name=texts["name"],
        sector=_text(rate.get("sector")),
        source=texts["source"],
        description=texts["description"],
        supersedes=_text(rate.get("supersedes")),
        currency=currency or _currency(rate, remarks),
        start=start,
        end=last + timedelta(days=1) if last else None,
    )


def _text(given: object) -> str:
    return given.strip() if isinstance(given, str) else ""


def _look_at_label(rate: Mapping[str, Any], label: str, remarks: Remarks) -> None:
    if not label:
        remarks.note("label", "There is none: the rate is known by its utility and name alone.")
        return
    if not _LABEL.fullmatch(label):
        remarks.warn("label", f"{label!r} is not a label of the database, which has 24 hexadecimal digits.")
    uri = _text(rate.get("uri"))
    if uri and not uri.rstrip("/").endswith(label):
        remarks.warn("uri", f"It leads to another rate than the label {label}.")
    if _text(rate.get("supersedes")) == label:
        remarks.warn("supersedes", "The rate is said to supersede itself.")
    if rate.get("approved") is False:
        remarks.warn("approved", "The database's own reviewers have not approved the rate.")


def _look_at_utility(rate: Mapping[str, Any], utility: str, remarks: Remarks) -> None:
    known = number(rate.get("eiaid"))
    owner = _EIA.get(int(known)) if known is not None else None
    if owner and utility and owner.lower() not in utility.lower():
        remarks.warn("eiaid", f"{rate['eiaid']} is the number of {owner}, and the utility here is {utility}.")


def _look_at_conditions(rate: Mapping[str, Any], remarks: Remarks) -> None:
    for member, words in _CONDITIONS.items():
        if rate.get(member) not in (None, ""):
            remarks.note(member, f"It is for customers with {words.format(rate[member])}: nothing here checks that.")
    named = _KILOVOLTS.search(_text(rate.get("name")))
    if named and number(rate.get("voltagemaximum")) != Decimal(named[1]) * 1000:
        said = rate.get("voltagemaximum")
        text = f"The name says {named[0]}, and voltagemaximum {'is missing' if said is None else f'says {said} V'}."
        remarks.warn("voltagemaximum", text)
    for member in ("name", *_TEXTS):
        if found := _EVENTS.search(_text(rate.get(member))):
            remarks.warn(member, f"It speaks of {found[0]}: prices of single events are not in the rate.")
            return


def _day(rate: Mapping[str, Any], member: str, remarks: Remarks) -> date | None:
    given = rate.get(member)
    if given is None:
        if member == "startdate":
            remarks.warn(member, "It is missing: the first day must be named at import.")
        return None
    seconds = number(given)
    if seconds is None:
        try:
            return date.fromisoformat(_text(given)[:10])
        except ValueError:
            remarks.fault(member, f"{given!r} is neither seconds since 1970 nor a day.")
            return None
    if abs(seconds) >= _LATEST_SECOND:
        remarks.warn(member, "It counts milliseconds; seconds are the rule.")
        seconds /= 1000
    try:
        instant = datetime.fromtimestamp(float(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        remarks.fault(member, f"{given!r} is no instant.")
        return None
    if instant.time().isoformat() != "00:00:00":
        words = "Seconds are UTC"
        remarks.note(
            member, f"{given} is {instant:%Y-%m-%d %H:%M} UTC. {words}: it is taken as the day {instant.date()}."
        )
    return instant.date()


def _currency(rate: Mapping[str, Any], remarks: Remarks) -> str:
    country = _text(rate.get("country")).upper()
    if not country:
        remarks.note("country", "It is missing: prices are taken as USD, as the database is of the United States.")
        return "USD"
    if country not in _CURRENCIES:
        remarks.fault("country", f"The currency of {country!r} is not known here: name it at import.")
        return ""
    return _CURRENCIES[country]
