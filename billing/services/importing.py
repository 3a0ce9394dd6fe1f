"""Store rates of the Utility Rate Database as tariffs; a repeat adds nothing, other prices make a version."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils.text import slugify

from accounts.actors import Actor
from accounts.services import audit
from billing.models import Tariff, TariffVersion, Tax
from billing.rating.terms import encode
from billing.services.versions import (
    NewComponent,
    VersionsOverlap,
    add_version,
    charges_the_same,
    checked_components,
    revise_version,
)
from billing.urdb import DecodedRate, Level, Remark
from energy_portal.shared.errors import Conflict, Invalid, NotFound

_LONGEST_CODE = 40
_LONGEST_NAME = 100
_BECAUSE = "imported anew with other prices"


class CannotImport(Invalid):
    """A rate has faults, or lacks what an import needs."""

    code = "rate_not_importable"


class AnotherRate(Conflict):
    """The code belongs to a tariff that came from elsewhere."""

    code = "tariff_of_another_rate"


class NoSuchTax(NotFound):
    """There is no tax of that code."""

    code = "tax_not_found"


class Outcome(StrEnum):
    """What an import did."""

    CREATED = "created"
    ADDED = "version added"
    REVISED = "version revised"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class RateImport:
    """What a person chooses at an import; empty or None: what the rate says of itself."""

    code: str = ""
    name: str = ""
    tax_code: str = ""
    service_class: str = ""
    start: date | None = None


@dataclass(frozen=True)
class Imported:
    """A stored rate, what came of it, and what is to be said of it."""

    tariff: Tariff
    version: TariffVersion
    outcome: Outcome
    remarks: tuple[Remark, ...]


@transaction.atomic
def import_rate(*, rate: DecodedRate, chosen: RateImport, actor: Actor, now: datetime) -> Imported:
    """Store a rate as a tariff's version from its first day on.

    A version that starts on the same day is revised where its prices differ. A tariff is found by its code.

    :raises CannotImport: the rate has faults, or no first day is known.
    :raises AnotherRate: the code is of a tariff of another utility, name or currency.
    :raises NoSuchTax: there is none of the code chosen.
    :raises VersionsOverlap: the tariff's versions leave no room for it.
    """
    if rate.faults:
        raise CannotImport(" ".join(str(fault) for fault in rate.faults))
    start = chosen.start or rate.identity.start
    if start is None:
        raise CannotImport("The rate names no first day: name one.")
    remarks = (*_label_remarks(rate), *rate.remarks)
    tariff, is_new = _tariff(rate, chosen, actor, now)
    components = checked_components([NewComponent(item.kind, item.name, encode(item.terms)) for item in rate.charges])
    version, outcome = _version(tariff, rate, start, components, remarks, actor, now)
    return Imported(tariff, version, Outcome.CREATED if is_new else outcome, remarks)


def default_code(rate: DecodedRate) -> str:
    """Return the code that a rate's tariff has unless another is chosen: its utility and name, cut to fit."""
    utility = slugify("".join(word[0] for word in rate.identity.utility.split() if word[0].isalnum()))
    return f"{utility}-{slugify(rate.identity.name)}"[:_LONGEST_CODE].strip("-")


def origin(rate: DecodedRate) -> str:
    """Return the line by which a tariff tells which rate it is."""
    return f"{rate.identity.utility}: {rate.identity.name}"


def _tariff(rate: DecodedRate, chosen: RateImport, actor: Actor, now: datetime) -> tuple[Tariff, bool]:
    code = chosen.code or default_code(rate)
    if not code or len(code) > _LONGEST_CODE:
        raise CannotImport(f"A code of 1 to {_LONGEST_CODE} characters is needed.")
    tax = Tax.objects.filter(code=chosen.tax_code).first() if chosen.tax_code else None
    if chosen.tax_code and tax is None:
        raise NoSuchTax(f"There is no tax {chosen.tax_code}.")
    found = Tariff.objects.select_for_update(of=("self",)).filter(code=code).first()
    if found is not None:
        if found.source.splitlines()[:1] != [origin(rate)]:
            raise AnotherRate(f"{code} is the code of {found.name}, which is not {origin(rate)}: choose another code.")
        if found.currency != rate.identity.currency:
            raise AnotherRate(f"{code} is priced in {found.currency}, and the rate in {rate.identity.currency}.")
        return found, False
    source = "\n".join(line for line in (origin(rate), _label_line(rate), rate.identity.source) if line)
    tariff = Tariff(
        code=code,
        name=(chosen.name or rate.identity.name)[:_LONGEST_NAME],
        currency=rate.identity.currency,
        tax=tax,
        service_class=chosen.service_class,
        source=source,
    )
    audit.sign_history(tariff, actor)
    tariff.save()
    audit.record(action="tariff.imported", obj=tariff, actor=actor, now=now, code=code, label=rate.identity.label)
    return tariff, True


def _label_line(rate: DecodedRate) -> str:
    return f"Utility Rate Database, label {rate.identity.label}" if rate.identity.label else ""


def _label_remarks(rate: DecodedRate) -> list[Remark]:
    """Find tariffs that came under the same label from another rate: one of the two is mislabelled."""
    if not rate.identity.label:
        return []
    others = Tariff.objects.filter(source__contains=_label_line(rate)).exclude(source__startswith=origin(rate))
    return [
        Remark(
            Level.WARNING,
            "label",
            f"{rate.identity.label} is also the label of tariff {other.code} ({other.source.splitlines()[0]}).",
        )
        for other in others.order_by("code")
    ]


def _version(
    tariff: Tariff,
    rate: DecodedRate,
    start: date,
    components: Sequence[NewComponent],
    remarks: Sequence[Remark],
    actor: Actor,
    now: datetime,
) -> tuple[TariffVersion, Outcome]:
    notes = _notes(rate, remarks)
    standing = list(tariff.versions.filter(superseded_at__isnull=True).order_by("effective"))
    same_day = next((version for version in standing if version.effective.lower == start), None)
    if same_day is not None:
        if charges_the_same(same_day, components):
            return same_day, Outcome.UNCHANGED
        revised = revise_version(
            version_id=same_day.pk, components=components, because=_BECAUSE, actor=actor, now=now, notes=notes
        )
        return revised, Outcome.REVISED
    later = [
        version.effective.lower for version in standing if version.effective.lower and version.effective.lower > start
    ]
    ends = [day for day in (rate.identity.end, *later) if day is not None]
    if ends and min(ends) <= start:
        raise VersionsOverlap(f"The rate ends on {min(ends)}, and would start on {start}.")
    added = add_version(
        tariff_id=tariff.pk,
        name=f"{start}",
        effective=DateRange(start, min(ends, default=None)),
        components=components,
        notes=notes,
        actor=actor,
        now=now,
    )
    return added, Outcome.ADDED


def _notes(rate: DecodedRate, remarks: Sequence[Remark]) -> str:
    said = [rate.identity.description] if rate.identity.description else []
    return "\n".join([*said, *(f"{remark.level.value.capitalize()}: {remark}" for remark in remarks)])
