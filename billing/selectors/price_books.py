"""What accounts pay by: the versions of their tariffs and taxes, as instants in their own zones."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateRange, DateTimeTZRange

from accounts.models import CustomerAccount
from billing import rating
from billing.models import Tariff, TariffAssignment, TariffVersion, TaxVersion
from billing.rating import Hours, TaxRate, Version
from billing.rating.terms import Component, InvalidTerms, Kind, decode
from energy_portal.shared.clock import Period, local_day, zone
from meters.models import Binding
from meters.models.places import Commodity

_DAY = timedelta(days=1)
_ANY_CLASS = ""

Span: TypeAlias = tuple[Tariff, Period]


@dataclass(frozen=True, eq=False)
class Prices:
    """Every price and tax rate of a period, cut to it, by service class; many accounts share one.

    ``hours`` keeps which half-hours belong to which rate period.
    """

    period: Period
    versions: Mapping[str, tuple[Version, ...]]
    taxes: tuple[TaxRate, ...]
    cuts: tuple[datetime, ...]
    currency: str
    needs_half_hours: bool
    needs_exports: bool
    hours: Hours


@dataclass(frozen=True, eq=False)
class PriceBook:
    """Every price and tax rate that an account meets in a period, at each of its service points.

    ``zone`` is the account's, whose days and months are billed; ``zones`` are those of its service points.
    """

    prices: Prices
    zone: ZoneInfo
    zones: Mapping[UUID, ZoneInfo]
    versions_of: Mapping[UUID, tuple[Version, ...]]

    @property
    def period(self) -> Period:
        """What it covers."""
        return self.prices.period

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions, of whatever service point, each once."""
        return tuple({id(each): each for found in self.prices.versions.values() for each in found}.values())

    @property
    def cuts(self) -> tuple[datetime, ...]:
        """The instants at which energy must be known to be priced: what a QuantityRequest takes."""
        return self.prices.cuts

    @property
    def currency(self) -> str:
        """The first tariff's currency; empty without a tariff."""
        return self.prices.currency

    @property
    def needs_half_hours(self) -> bool:
        """Whether energy between the cuts is not enough: half-hours are asked for, too."""
        return self.prices.needs_half_hours

    @property
    def needs_exports(self) -> bool:
        """Whether half-hours of what went out are asked for."""
        return self.prices.needs_exports


def price_books(*, accounts: Sequence[CustomerAccount], periods: Mapping[UUID, Period]) -> dict[UUID, PriceBook]:
    """Collect what each account pays in its period, in six queries.

    :param periods: by account id.
    """
    if not accounts:
        return {}
    whole = Period(min(period.start for period in periods.values()), max(period.end for period in periods.values()))
    assignments = _assignments(accounts, _days_around(whole))
    places = _places(accounts, whole)
    classes = {place.service_class for found in places.values() for place in found}
    chosen = {item.tariff for items in assignments.values() for item in items}
    shelf = Shelf(defaults=_defaults(classes), tariffs=chosen, whole=whole)
    return {
        account.pk: _book(shelf, account, periods[account.pk], assignments[account.pk], places[account.pk])
        for account in accounts
    }


def tariff_prices(*, tariff: Tariff, zone: ZoneInfo, period: Period) -> Prices:
    """Collect what everybody pays by one tariff in a period, in three queries."""
    return Shelf(defaults={_ANY_CLASS: tariff}, tariffs=(), whole=period).prices(zone, period, (), {_ANY_CLASS})


@dataclass(frozen=True)
class _Place:
    """A service point of an account."""

    id: UUID
    service_class: str
    zone: str


def _assignments(accounts: Sequence[CustomerAccount], days: DateRange) -> dict[UUID, list[TariffAssignment]]:
    found: dict[UUID, list[TariffAssignment]] = defaultdict(list)
    assigned = TariffAssignment.objects.filter(account__in=accounts, effective__overlap=days)
    for assignment in assigned.select_related("tariff__tax").order_by("effective"):
        found[assignment.account_id].append(assignment)
    return found


def _places(accounts: Sequence[CustomerAccount], whole: Period) -> dict[UUID, list[_Place]]:
    bound = Binding.objects.filter(
        account__in=accounts,
        service_point__commodity=Commodity.ELECTRIC,
        valid__overlap=DateTimeTZRange(whole.start, whole.end),
    ).order_by("service_point__code", "valid")
    point = ("service_point_id", "service_point__service_class", "service_point__premises__zone")
    found: dict[UUID, list[_Place]] = defaultdict(list)
    for account_id, *place in bound.values_list("account_id", *point):
        found[account_id].append(_Place(*place))
    return found


def _defaults(classes: Iterable[str]) -> dict[str, Tariff]:
    tariffs = Tariff.objects.filter(service_class__in={*classes, _ANY_CLASS}, is_default=True)
    return {tariff.service_class: tariff for tariff in tariffs.select_related("tax")}


def _book(
    shelf: "Shelf",
    account: CustomerAccount,
    period: Period,
    assignments: Sequence[TariffAssignment],
    places: Sequence[_Place],
) -> PriceBook:
    site = zone(account.zone)
    prices = shelf.prices(site, period, assignments, {place.service_class for place in places} or {_ANY_CLASS})
    return PriceBook(
        prices=prices,
        zone=site,
        zones={place.id: zone(place.zone) for place in places},
        versions_of={place.id: prices.versions[place.service_class] for place in places},
    )


class Shelf:
    """Tariffs with their versions, and the prices made from them."""

    def __init__(self, *, defaults: Mapping[str, Tariff], tariffs: Iterable[Tariff], whole: Period) -> None:
        self._defaults = defaults
        days, wanted = _days_around(whole), {*tariffs, *defaults.values()}
        self._versions: dict[UUID, list[tuple[TariffVersion, tuple[Component, ...]]]] = defaultdict(list)
        in_days = TariffVersion.objects.filter(tariff__in=wanted, effective__overlap=days, superseded_at__isnull=True)
        for version in in_days.prefetch_related("components").order_by("effective"):
            if (components := _components(version)) is not None:
                self._versions[version.tariff_id].append((version, components))
        self._taxes: dict[UUID, list[TaxVersion]] = defaultdict(list)
        taxes = TaxVersion.objects.filter(tax__tariffs__in=wanted, effective__overlap=days).distinct()
        for tax in taxes.select_related("tax").order_by("effective"):
            self._taxes[tax.tax_id].append(tax)
        self._prices: dict[object, Prices] = {}
        self._hours = Hours()

    def prices(
        self, site: ZoneInfo, period: Period, assignments: Sequence[TariffAssignment], classes: set[str]
    ) -> Prices:
        """Make prices, or hand out those of the same zone, period, tariffs and classes."""
        chosen = tuple((item.tariff_id, item.effective) for item in assignments)
        key = (site.key, period, chosen, frozenset(classes))
        if key not in self._prices:
            self._prices[key] = self._new_prices(site, period, assignments, sorted(classes))
        return self._prices[key]

    def _new_prices(
        self, site: ZoneInfo, period: Period, assignments: Sequence[TariffAssignment], classes: Sequence[str]
    ) -> Prices:
        spans = {name: list(self._spans(site, period, assignments, name)) for name in classes}
        tariffs = {tariff.pk: tariff for found in spans.values() for tariff, _ in found}
        tax_ids = dict.fromkeys(tariff.tax_id for tariff in tariffs.values() if tariff.tax_id is not None)
        versions = {name: tuple(self._in_force(site, found)) for name, found in spans.items()}
        every = [version for found in versions.values() for version in found]
        taxes = tuple(rate for tax_id in tax_ids for rate in self._tax_rates(site, tax_id, period))
        return Prices(
            period=period,
            versions=versions,
            taxes=taxes,
            cuts=rating.cuts(period.start, period.end, every, taxes),
            currency=next((tariff.currency for tariff in tariffs.values()), ""),
            needs_half_hours=rating.needs_half_hours(every),
            needs_exports=any(item.kind is Kind.EXPORT for version in every for item in version.components),
            hours=self._hours,
        )

    def _spans(
        self, site: ZoneInfo, period: Period, assignments: Sequence[TariffAssignment], service_class: str
    ) -> Iterator[Span]:
        """Yield the account's own tariffs for a class in their days, the default one between them."""
        default = self._defaults.get(service_class) or self._defaults.get(_ANY_CLASS)
        reached = period.start
        for assignment in assignments:
            own = _within(assignment.effective, site, period)
            if own is None or assignment.tariff.service_class not in {_ANY_CLASS, service_class}:
                continue
            if default and reached < own.start:
                yield default, Period(reached, own.start)
            yield assignment.tariff, own
            reached = own.end
        if default and reached < period.end:
            yield default, Period(reached, period.end)

    def _in_force(self, site: ZoneInfo, spans: Iterable[Span]) -> Iterator[Version]:
        for tariff, span in spans:
            for version, components in self._versions[tariff.pk]:
                if (days := _within(version.effective, site, span)) is not None:
                    yield Version(
                        id=version.pk,
                        name=version.name,
                        start=days.start,
                        end=days.end,
                        components=components,
                        tax_code=tariff.tax.code if tariff.tax else None,
                        currency=tariff.currency,
                    )

    def _tax_rates(self, site: ZoneInfo, tax_id: UUID, period: Period) -> Iterator[TaxRate]:
        for version in self._taxes[tax_id]:
            if (days := _within(version.effective, site, period)) is not None:
                yield TaxRate(
                    version_id=version.pk,
                    tax_code=version.tax.code,
                    name=f"{version.tax.name} {percent(version.rate)} %",
                    start=days.start,
                    end=days.end,
                    rate=version.rate,
                )


def percent(share: Decimal) -> str:
    """Write a share as a percentage without trailing zeros: 0.09 is 9."""
    return f"{(share * 100).normalize():f}"


def _components(version: TariffVersion) -> tuple[Component, ...] | None:
    """Read what a version charges for; None of terms that say nothing sound: it prices nothing, others go on."""
    try:
        return tuple(
            Component(id=item.pk, kind=Kind(item.kind), name=item.name, terms=decode(item.kind, item.terms))
            for item in version.components.all()
        )
    except InvalidTerms:
        return None


def _within(days: DateRange, site: ZoneInfo, period: Period) -> Period | None:
    """Return the part of a period that a range of local days covers."""
    start = period.start if days.lower is None else local_day(days.lower, site).start
    end = period.end if days.upper is None else local_day(days.upper, site).start
    return Period(start, end).intersect(period)


def _days_around(whole: Period) -> DateRange:
    """Return UTC days that hold a period, a day wider at each end: no zone is further from UTC than that."""
    first: date = whole.start.date() - _DAY
    after: date = whole.end.date() + 2 * _DAY
    return DateRange(first, after)
