"""Tariffs as people read them: versions and their revisions, what each charges, and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils.translation import gettext

from billing.models import Bill, BillLine, Tariff, TariffComponent, TariffVersion
from billing.rating.terms import Component, InvalidTerms, Kind, decode
from billing.rating.words import Words, in_words
from billing.urdb import DecodedRate


@dataclass(frozen=True)
class ComponentWords:
    """A component as a person reads it; ``problem`` where its data say nothing sound."""

    kind: str
    name: str
    words: Words | None
    problem: str = ""


def tariffs_with_versions() -> QuerySet[Tariff]:
    """Return tariffs with the versions that are in force and their components, in three queries."""
    versions = TariffVersion.objects.filter(superseded_at__isnull=True).prefetch_related("components")
    return Tariff.objects.select_related("tax").prefetch_related(Prefetch("versions", versions)).order_by("code")


def versions_with_use(*, tariff_id: UUID) -> QuerySet[TariffVersion]:
    """Return every version and revision of a tariff, latest first; ``on_issued_bills`` tells what cannot change."""
    return (
        TariffVersion.objects.filter(tariff=tariff_id)
        .select_related("tariff")
        .prefetch_related("components")
        .annotate(on_issued_bills=Exists(issued_lines()))
        .order_by("-effective", "-revision")
    )


def issued_lines() -> QuerySet[BillLine]:
    """Return the lines of issued bills that name the version of an outer query."""
    return BillLine.objects.filter(tariff_version=OuterRef("pk")).exclude(bill__status=Bill.Status.DRAFT)


def words_of(components: Sequence[TariffComponent], currency: str) -> list[ComponentWords]:
    """Say what stored components charge."""
    said = []
    for component in components:
        try:
            terms = decode(component.kind, component.terms)
        except InvalidTerms as error:
            said.append(ComponentWords(component.kind, component.name, None, str(error)))
        else:
            words = in_words(component.kind, terms, currency, gettext=gettext)
            said.append(ComponentWords(component.kind, component.name, words))
    return said


def decoded_components(version: TariffVersion) -> tuple[Component, ...]:
    """Return a version's components as they are rated.

    :raises InvalidTerms: one says nothing sound.
    """
    return tuple(
        Component(id=item.pk, kind=Kind(item.kind), name=item.name, terms=decode(item.kind, item.terms))
        for item in version.components.all()
    )


def components_of_rate(rate: DecodedRate) -> tuple[Component, ...]:
    """Return what a rate charges as it is rated, without storing it."""
    return tuple(Component(id=uuid4(), kind=item.kind, name=item.name, terms=item.terms) for item in rate.charges)
