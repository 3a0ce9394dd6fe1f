"""Add, revise and close the versions of tariffs; what bills rest on is superseded, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from accounts.actors import Actor
from accounts.services import audit
from billing.models import BillLine, Rerating, Tariff, TariffComponent, TariffVersion
from billing.rating.terms import InvalidTerms, Kind, decode, encode
from energy_portal.shared.errors import Conflict, Invalid, ItemError
from energy_portal.shared.jobs import enqueue_on_commit

RERATE_TASK = "billing.tasks.rerate_version"
_LONGEST_NAME = 60


class InvalidComponents(Invalid):
    """A version's components cannot be charged by; each item's field is the place."""

    code = "components_invalid"


class VersionsOverlap(Conflict):
    """Another version of the tariff is in force on some of the days."""

    code = "tariff_versions_overlap"


class AlreadySuperseded(Conflict):
    """A newer revision took the version's place: that one can be revised."""

    code = "tariff_version_superseded"


class NeverInForce(Invalid):
    """A version would end before it starts."""

    code = "tariff_version_without_days"


@dataclass(frozen=True)
class NewComponent:
    """One thing that a version is to charge for; ``terms`` is data that :func:`billing.rating.terms.decode` reads."""

    kind: str
    name: str
    terms: Mapping[str, Any]


def checked_components(components: Sequence[NewComponent]) -> list[NewComponent]:
    """Return components as they are stored.

    :raises InvalidComponents: some cannot be charged by; every problem is named at its place.
    """
    wrong: list[ItemError] = []
    sound: list[NewComponent] = []
    names: set[str] = set()
    for index, component in enumerate(components):
        name = component.name.strip()
        if not name or len(name) > _LONGEST_NAME:
            wrong.append(ItemError("name", f"A name of 1 to {_LONGEST_NAME} characters is needed.", index, "name"))
        elif name in names:
            wrong.append(ItemError("name", f"{name} is the name of another component of the version.", index, "name"))
        names.add(name)
        try:
            kind = Kind(component.kind)
        except ValueError:
            wrong.append(ItemError("kind", f"{component.kind!r} is no kind of component.", index, "kind"))
            continue
        try:
            sound.append(NewComponent(kind.value, name, encode(decode(kind, component.terms))))
        except InvalidTerms as error:
            wrong += [
                ItemError("terms", problem.text, index, f"terms.{problem.path}".rstrip("."))
                for problem in error.problems
            ]
    if not components:
        wrong.append(ItemError("components", "A version charges for something: one component is needed."))
    if wrong:
        raise InvalidComponents(" ".join(_sentence(item) for item in wrong), errors=wrong)
    return sound


def _sentence(item: ItemError) -> str:
    place = "" if item.index is None else f"Component {item.index + 1}, {item.field}: "
    return f"{place}{item.detail}"


@transaction.atomic
def add_version(
    *,
    tariff_id: UUID,
    name: str,
    effective: DateRange,
    components: Sequence[NewComponent],
    actor: Actor,
    now: datetime,
    notes: str = "",
) -> TariffVersion:
    """Store a version of a tariff for some local days; the open-ended one that it follows ends where it starts.

    The same version given again stands as it is.

    :param effective: ``[first day, first day after)``; either may be open.
    :raises Tariff.DoesNotExist: there is no such tariff.
    :raises InvalidComponents: some cannot be charged by.
    :raises VersionsOverlap: another version holds some of the days.
    :raises NeverInForce: the days are empty.
    """
    tariff = _lock_tariff(tariff_id)
    sound = checked_components(components)
    _require_days(effective.lower, effective.upper)
    standing = list(tariff.versions.select_for_update().filter(superseded_at__isnull=True).order_by("effective"))
    for version in standing:
        if version.effective == effective and version.name == name and charges_the_same(version, sound):
            return version
    _make_room(standing, effective, actor, now)
    version = TariffVersion(tariff=tariff, name=name, effective=effective, notes=notes)
    _store(version, sound, actor)
    audit.record(action="tariff_version.added", obj=version, actor=actor, now=now, tariff=tariff.code, name=name)
    return version


@transaction.atomic
def revise_version(
    *,
    version_id: UUID,
    components: Sequence[NewComponent],
    because: str,
    actor: Actor,
    now: datetime,
    name: str | None = None,
    notes: str | None = None,
) -> TariffVersion:
    """Give a version other components; one that a bill names is superseded by a revision and stays as it was.

    What the revision changes on drafts and issued bills is worked out afterwards, in the background. The same
    components given again change nothing.

    :param because: why, for the record.
    :param name: None: as it is; as are ``notes``.
    :returns: the version that is in force now.
    :raises TariffVersion.DoesNotExist: there is no such version.
    :raises AlreadySuperseded: a newer revision stands.
    :raises InvalidComponents: some cannot be charged by.
    """
    version = _locked(version_id)
    sound = checked_components(components)
    name = version.name if name is None else name
    notes = version.notes if notes is None else notes
    if charges_the_same(version, sound):
        return _renamed(version, name, notes, actor, now)
    if BillLine.objects.filter(tariff_version=version).exists():
        revised = _superseded(version, name, notes, sound, actor, now)
    else:
        version.name, version.notes = name, notes
        version.components.all().delete()
        _store(version, sound, actor)
        revised = version
    audit.record(
        action="tariff_version.revised",
        obj=revised,
        actor=actor,
        now=now,
        because=because,
        revision=revised.revision,
        supersedes=version.pk if revised is not version else None,
    )
    _rerate_later(revised, now)
    return revised


@transaction.atomic
def close_version(*, version_id: UUID, after: date, actor: Actor, now: datetime) -> TariffVersion:
    """End a version: ``after`` is the first local day on which it holds no more.

    :raises TariffVersion.DoesNotExist: there is no such version.
    :raises AlreadySuperseded: a newer revision stands.
    :raises VersionsOverlap: it would last longer, and another version holds some of the days.
    :raises NeverInForce: it would end before it starts.
    """
    version = _locked(version_id)
    _require_days(version.effective.lower, after)
    if version.effective.upper == after:
        return version
    _end(version, after, actor, now)
    return version


def charges_the_same(version: TariffVersion, components: Sequence[NewComponent]) -> bool:
    """Whether a version's components are these, in their order."""
    stored = [NewComponent(item.kind, item.name, item.terms) for item in version.components.order_by("position")]
    return stored == list(components)


def _locked(version_id: UUID) -> TariffVersion:
    """Lock the tariff, then the version, as every writer of versions does.

    :raises AlreadySuperseded: a newer revision stands.
    """
    tariff_id = TariffVersion.objects.values_list("tariff_id", flat=True).get(pk=version_id)
    _lock_tariff(tariff_id)
    version = TariffVersion.objects.select_for_update().get(pk=version_id)
    if version.superseded_at is not None:
        raise AlreadySuperseded(f"{version} was superseded: revise the revision that took its place.")
    return version


def _lock_tariff(tariff_id: UUID) -> Tariff:
    """Lock a tariff, and before any of its versions what rates bills anew by them.

    That holds its row while it writes lines, which wait for the version that they name.
    """
    tariff: Tariff = Tariff.objects.select_for_update().get(pk=tariff_id)
    list(Rerating.objects.filter(version__tariff=tariff).order_by("pk").select_for_update(of=("self",)))
    return tariff


def _renamed(version: TariffVersion, name: str, notes: str, actor: Actor, now: datetime) -> TariffVersion:
    if (version.name, version.notes) != (name, notes):
        version.name, version.notes = name, notes
        audit.sign_history(version, actor)
        version.save(update_fields=["name", "notes"])
        audit.record(action="tariff_version.renamed", obj=version, actor=actor, now=now, name=name)
    return version


def _superseded(
    version: TariffVersion, name: str, notes: str, sound: Sequence[NewComponent], actor: Actor, now: datetime
) -> TariffVersion:
    version.superseded_at = now
    audit.sign_history(version, actor)
    version.save(update_fields=["superseded_at"])
    successor = TariffVersion(
        tariff_id=version.tariff_id,
        name=name,
        effective=version.effective,
        revision=version.revision + 1,
        supersedes=version,
        notes=notes,
    )
    _store(successor, sound, actor)
    return successor


def _store(version: TariffVersion, sound: Sequence[NewComponent], actor: Actor) -> None:
    audit.sign_history(version, actor)
    version.save()
    TariffComponent.objects.bulk_create(
        TariffComponent(
            version=version, position=position, kind=component.kind, name=component.name, terms=dict(component.terms)
        )
        for position, component in enumerate(sound, start=1)
    )


def _make_room(standing: Sequence[TariffVersion], days: DateRange, actor: Actor, now: datetime) -> None:
    for version in standing:
        if not _meet(version.effective, days):
            continue
        starts_before = days.lower is not None and (version.effective.lower or date.min) < days.lower
        # Either it had no end, or the new one takes all that it had left.
        if version.effective.upper not in (None, days.upper) or not starts_before:
            raise VersionsOverlap(f"{version} is in force {_days_in_words(version.effective)}.")
        _end(version, days.lower, actor, now)


def _end(version: TariffVersion, after: date, actor: Actor, now: datetime) -> None:
    """Move a version's end; bills that it priced beyond the new one are worked out again."""
    lower, upper = version.effective.lower, version.effective.upper
    if upper is None or after > upper:
        later = version.tariff.versions.filter(superseded_at__isnull=True, effective__overlap=DateRange(upper, after))
        if upper is not None and (other := later.exclude(pk=version.pk).first()) is not None:
            raise VersionsOverlap(f"{other} is in force {_days_in_words(other.effective)}.")
    version.effective = DateRange(lower, after)
    audit.sign_history(version, actor)
    version.save(update_fields=["effective"])
    audit.record(action="tariff_version.ended", obj=version, actor=actor, now=now, before=after)
    if BillLine.objects.filter(tariff_version=version, period__endswith__date__gt=after).exists():
        _rerate_later(version, now)


def _rerate_later(version: TariffVersion, now: datetime) -> None:
    """Have the bills that a version touches rated anew, from the start where that was done or begun before."""
    afresh = {"status": Rerating.Status.RUNNING, "cursor": "", "started_at": now, "finished_at": None}
    Rerating.objects.update_or_create(version=version, defaults=afresh)
    enqueue_on_commit(RERATE_TASK, version_id=version.pk)


def _require_days(lower: date | None, upper: date | None) -> None:
    if lower is not None and upper is not None and upper <= lower:
        raise NeverInForce(f"It would end on {upper}, and start on {lower}.")


def _meet(one: DateRange, other: DateRange) -> bool:
    return (one.lower or date.min) < (other.upper or date.max) and (other.lower or date.min) < (one.upper or date.max)


def _days_in_words(days: DateRange) -> str:
    until = "until further notice" if days.upper is None else f"until {days.upper}, not including it"
    return f"{until}" if days.lower is None else f"from {days.lower} {until}"
