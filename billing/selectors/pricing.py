"""What energy costs an account: the versions of its tariff and tax, as instants in its own zone."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateRange

from accounts.models import CustomerAccount
from billing import rating
from billing.models import Hold, Tariff, TariffAssignment, TariffVersion, TaxVersion
from billing.rating import EnergyRate, Rating, Stretch, TaxRate
from billing.rating.terms import EnergyTerms, decode
from energy_portal.shared.clock import Period, local_day, zone
from energy_portal.shared.errors import DomainError
from meters.selectors.quantities import MeteredQuantity

_DAY = timedelta(days=1)
_STORED = Decimal("0.000001")


class NotPriced(DomainError):
    """Energy cannot be priced as it is; its code is a :class:`billing.models.Hold`."""


class NoTariffInForce(NotPriced):
    """A part of the period has no tariff version, or no version of its tax."""

    code = Hold.NO_TARIFF.value


class EnergyNotKnown(NotPriced):
    """A quantity to be priced is missing: it is never taken for zero."""

    code = Hold.INCOMPLETE_ENERGY.value


class MixedCurrencies(NotPriced):
    """Tariffs of more than one currency are in force in the period."""

    code = Hold.MIXED_CURRENCIES.value


@dataclass(frozen=True)
class Priced(Rating):
    """A rating in its currency."""

    currency: str


@dataclass(frozen=True)
class PriceBook:
    """Every price and tax rate that an account meets in a period, cut to it."""

    period: Period
    currencies: tuple[str, ...]
    energy_rates: tuple[EnergyRate, ...]
    tax_rates: tuple[TaxRate, ...]

    @property
    def cuts(self) -> tuple[datetime, ...]:
        """The instants at which energy must be known to be priced: what a QuantityRequest takes."""
        return rating.cuts(self.period.start, self.period.end, self.energy_rates, self.tax_rates)

    @property
    def currency(self) -> str:
        """The first tariff's currency; empty without a tariff."""
        return self.currencies[0] if self.currencies else ""


def price_books(*, accounts: Sequence[CustomerAccount], periods: Mapping[UUID, Period]) -> dict[UUID, PriceBook]:
    """Collect what each account pays in its period, in four queries.

    :param periods: by account id.
    """
    if not accounts:
        return {}
    shelf = _Shelf(accounts, _days_around(periods[account.pk] for account in accounts))
    return {account.pk: shelf.book(account, periods[account.pk]) for account in accounts}


def price_cuts(*, account: CustomerAccount, period: Period) -> tuple[datetime, ...]:
    """List the instants at which an account's energy must be known to price a period: what a QuantityRequest takes."""
    return price_books(accounts=[account], periods={account.pk: period})[account.pk].cuts


def price(*, account: CustomerAccount, quantities: Sequence[MeteredQuantity], now: datetime) -> Priced:
    """Price quantities that were metered between an account's :func:`price_cuts`.

    What was in force before ``now`` and what is announced for later days are priced alike.

    :raises NoTariffInForce: a part of them has no price, which is never guessed.
    :raises EnergyNotKnown: one of them has no energy.
    :raises MixedCurrencies: their tariffs are in more than one currency.
    """
    periods = [quantity.period for quantity in quantities] or [Period(now, now)]
    whole = Period(min(period.start for period in periods), max(period.end for period in periods))
    book = price_books(accounts=[account], periods={account.pk: whole})[account.pk]
    return price_by(book, quantities)


def price_by(book: PriceBook, quantities: Sequence[MeteredQuantity]) -> Priced:
    """Price quantities by a book that covers them.

    :raises NotPriced: as :func:`price` does.
    """
    stretches = [_stretch(quantity) for quantity in quantities]
    if len(book.currencies) > 1:
        raise MixedCurrencies(f"Prices are in {' and '.join(book.currencies)}.")
    try:
        rated = rating.rate(stretches, book.energy_rates, book.tax_rates)
    except (rating.NoRateInForce, rating.NoTaxInForce) as error:
        raise NoTariffInForce(str(error)) from error
    return Priced(
        lines=rated.lines,
        taxes=rated.taxes,
        subtotal=rated.subtotal,
        tax=rated.tax,
        total=rated.total,
        currency=book.currency,
    )


class _Shelf:
    """The tariffs and versions that some accounts may meet in some local days, and the books made from them."""

    def __init__(self, accounts: Sequence[CustomerAccount], days: DateRange) -> None:
        self.default = Tariff.objects.filter(is_default=True).select_related("tax").first()
        self.assignments: dict[UUID, list[TariffAssignment]] = defaultdict(list)
        assigned = TariffAssignment.objects.filter(account__in=accounts, effective__overlap=days)
        for assignment in assigned.select_related("tariff__tax").order_by("effective"):
            self.assignments[assignment.account_id].append(assignment)
        tariffs = {item.tariff for items in self.assignments.values() for item in items}
        tariffs |= {self.default} if self.default else set()
        self.versions: dict[UUID, list[TariffVersion]] = defaultdict(list)
        in_days = TariffVersion.objects.filter(tariff__in=tariffs, effective__overlap=days, superseded_at__isnull=True)
        for version in in_days.prefetch_related("components").order_by("effective"):
            self.versions[version.tariff_id].append(version)
        self.taxes: dict[UUID, list[TaxVersion]] = defaultdict(list)
        taxes = TaxVersion.objects.filter(tax__tariffs__in=tariffs, effective__overlap=days).distinct()
        for tax in taxes.select_related("tax").order_by("effective"):
            self.taxes[tax.tax_id].append(tax)
        self._books: dict[object, PriceBook] = {}

    def book(self, account: CustomerAccount, period: Period) -> PriceBook:
        """Make an account's book, or hand out the one of an account with the same zone, period and tariffs."""
        assignments = self.assignments.get(account.pk, [])
        key = (account.zone, period, tuple((item.tariff_id, item.effective) for item in assignments))
        if key not in self._books:
            self._books[key] = self._new_book(zone(account.zone), period, assignments)
        return self._books[key]

    def _new_book(self, site: ZoneInfo, period: Period, assignments: Sequence[TariffAssignment]) -> PriceBook:
        spans = list(self._spans(site, period, assignments))
        tariffs = [tariff for tariff, _ in spans]
        taxes = {tariff.tax_id for tariff in tariffs if tariff.tax_id is not None}
        return PriceBook(
            period=period,
            currencies=tuple(dict.fromkeys(tariff.currency for tariff in tariffs)),
            energy_rates=tuple(rate for tariff, span in spans for rate in self._energy_rates(site, tariff, span)),
            tax_rates=tuple(rate for tax_id in taxes for rate in self._tax_rates(site, tax_id, period)),
        )

    def _spans(
        self, site: ZoneInfo, period: Period, assignments: Sequence[TariffAssignment]
    ) -> Iterator[tuple[Tariff, Period]]:
        """Yield the account's own tariffs in their days, the default one between them."""
        reached = period.start
        for assignment in assignments:
            own = _within(assignment.effective, site, period)
            if own is None:
                continue
            if self.default and reached < own.start:
                yield self.default, Period(reached, own.start)
            yield assignment.tariff, own
            reached = own.end
        if self.default and reached < period.end:
            yield self.default, Period(reached, period.end)

    def _energy_rates(self, site: ZoneInfo, tariff: Tariff, span: Period) -> Iterator[EnergyRate]:
        for version in self.versions[tariff.pk]:
            if (days := _within(version.effective, site, span)) is not None:
                yield EnergyRate(
                    version_id=version.pk,
                    name=version.name,
                    start=days.start,
                    end=days.end,
                    rate_per_kwh=_flat_rate(version),
                    tax_code=tariff.tax.code if tariff.tax else None,
                )

    def _tax_rates(self, site: ZoneInfo, tax_id: UUID, period: Period) -> Iterator[TaxRate]:
        for version in self.taxes[tax_id]:
            if (days := _within(version.effective, site, period)) is not None:
                yield TaxRate(
                    version_id=version.pk,
                    tax_code=version.tax.code,
                    name=f"{version.tax.name} {percent(version.rate)} %",
                    start=days.start,
                    end=days.end,
                    rate=version.rate,
                )


def _flat_rate(version: TariffVersion) -> Decimal:
    terms = (decode(item.kind, item.terms) for item in version.components.all())
    return next(item.periods[0].tiers[0].rate for item in terms if isinstance(item, EnergyTerms))


def percent(share: Decimal) -> str:
    """Write a share as a percentage without trailing zeros: 0.09 is 9."""
    return f"{(share * 100).normalize():f}"


def _stretch(quantity: MeteredQuantity) -> Stretch:
    if quantity.energy_kwh is None:
        raise EnergyNotKnown(
            f"The energy at {quantity.service_point_code} is not known from "
            f"{quantity.period.start:%Y-%m-%d} to {quantity.period.end:%Y-%m-%d}.",
        )
    return Stretch(
        service_point_id=quantity.service_point_id,
        service_point_code=quantity.service_point_code,
        start=quantity.period.start,
        end=quantity.period.end,
        # What the line will store: quantity times rate must give its amount again.
        energy_kwh=quantity.energy_kwh.quantize(_STORED, rounding=ROUND_HALF_UP),
        reads=quantity.reads,
    )


def _within(days: DateRange, site: ZoneInfo, period: Period) -> Period | None:
    """Return the part of a period that a range of local days covers."""
    start = period.start if days.lower is None else local_day(days.lower, site).start
    end = period.end if days.upper is None else local_day(days.upper, site).start
    return Period(start, end).intersect(period)


def _days_around(periods: Iterable[Period]) -> DateRange:
    """Return UTC days that hold the periods, a day wider at each end: no zone is further from UTC than that."""
    wide = list(periods)
    first: date = min(period.start for period in wide).date() - _DAY
    after: date = max(period.end for period in wide).date() + 2 * _DAY
    return DateRange(first, after)
