"""A document of rates: what each charges, and everything that is to be said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing.rating.terms import InvalidTerms, decode, encode
from billing.urdb.charges import Charge, read_charges
from billing.urdb.comparing import compare
from billing.urdb.identity import Identity, read_identity
from billing.urdb.remarks import Level, Remark, Remarks
from billing.urdb.wording import look_at_words

_CHARGED = frozenset({
    "energyratestructure", "energyweekdayschedule", "energyweekendschedule", "energytoulabels",
    "flatdemandstructure", "flatdemandmonths", "flatdemandunit",
    "demandratestructure", "demandweekdayschedule", "demandweekendschedule", "demandrateunit",
    "fixedchargefirstmeter", "fixedchargeunits", "fixedmonthlycharge",
    "mincharge", "minchargeunits", "minmonthlycharge", "annualmincharge",
})  # fmt: skip
_JUDGED = frozenset({
    "demandreactivepowercharge", "demandratchetpercentage", "demandwindow", "coincratestructure",
    "fueladjustmentsmonthly", "fixedchargeeaaddl", "usenetmetering", "dgrules",
    "peakkwcapacitymin", "peakkwcapacitymax", "peakkwhusagemin", "peakkwhusagemax",
    "voltageminimum", "voltagemaximum", "voltagecategory", "phasewiring",
    "label", "uri", "approved", "utility", "eiaid", "name", "startdate", "enddate", "supersedes", "sector",
    "source", "description", "country", "energycomments", "demandcomments", "basicinformationcomments",
})  # fmt: skip
_IDLE = frozenset({
    "revisions", "is_default", "servicetype", "sourceparent", "demandunits", "coincrateunit", "coincrateschedule",
    "peakkwcapacityhistory", "peakkwhusagehistory",
})  # fmt: skip


class NotARate(ValueError):
    """The data holds no rate where one belongs."""


@dataclass(frozen=True)
class DecodedRate:
    """A rate as it can be charged, and what is to be said of it."""

    identity: Identity
    charges: tuple[Charge, ...]
    remarks: tuple[Remark, ...]

    @property
    def faults(self) -> tuple[Remark, ...]:
        """What forbids its import; empty where nothing does."""
        return tuple(remark for remark in self.remarks if remark.level is Level.FAULT)


def decode_document(data: object, *, currency: str | None = None) -> tuple[DecodedRate, ...]:
    """Read every rate of a document: an object with ``items``, one rate, or a list of rates.

    :param data: parsed JSON; numbers that were parsed as Decimal keep their digits.
    :param currency: instead of what the country says.
    :raises NotARate: another shape, or no rate at all.
    """
    rates = _rates(data)
    shared = compare(rates)
    return tuple(_decoded(rate, shared.get(place, ()), currency) for place, rate in enumerate(rates))


def _rates(data: object) -> Sequence[Mapping[str, Any]]:
    items = data.get("items") if isinstance(data, Mapping) and "items" in data else data
    rates = [items] if isinstance(items, Mapping) else items
    if not isinstance(rates, list) or not rates:
        raise NotARate("An object with items, a rate, or a list of rates is needed, with one rate at the least.")
    for place, rate in enumerate(rates):
        if not isinstance(rate, Mapping):
            raise NotARate(f"Item {place} is not an object.")
        if not {"energyratestructure", "label", "utility"} & rate.keys():
            raise NotARate(f"Item {place} has no energyratestructure, label or utility: it is not a rate.")
    return rates


def _decoded(rate: Mapping[str, Any], shared: Sequence[Remark], currency: str | None) -> DecodedRate:
    remarks = Remarks()
    remarks.extend(shared)
    identity = read_identity(rate, remarks, currency=currency)
    charges = read_charges(rate, remarks)
    look_at_words(rate, charges, remarks)
    for charge in charges:
        try:
            decode(charge.kind, encode(charge.terms))
        except InvalidTerms as error:
            for problem in error.problems:
                remarks.fault(f"{charge.name}.{problem.path}", problem.text)
    unread = sorted(set(rate) - _CHARGED - _JUDGED - _IDLE)
    for member in unread:
        remarks.note(member, "It is not read: nothing here follows it.")
    return DecodedRate(identity, charges, tuple(remarks.found))
