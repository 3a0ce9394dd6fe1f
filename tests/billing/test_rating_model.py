"""Rating against a model that is slow and obvious, and against its own sums for very many bills."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating import cuts, rate
from billing.rating.terms import (
    DemandTerms,
    EnergyTerms,
    FixedTerms,
    Kind,
    MinimumTerms,
    Per,
    RatePeriod,
    Tier,
)
from energy_portal.shared.clock import HALF_HOUR, YearMonth, local_month
from meters.halfhours import HalfHours
from tests.billing.ratings import (
    HOURS,
    POINT,
    component,
    day_and_night,
    gst,
    metered,
    midnight,
    rated_profile,
    tiered,
    tiers,
    version,
)

ZONES = tuple(ZoneInfo(name) for name in ("Asia/Singapore", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"))
CENT = Decimal("0.01")
BILLS = 10_000

rates = st.decimals(min_value=0, max_value=2, places=6)


@st.composite
def rate_periods(draw):
    limits = sorted(draw(st.sets(st.integers(1, 150), max_size=3)))
    return RatePeriod(
        draw(st.sampled_from(["", "", "A"])),
        tuple(Tier(None if each is None else Decimal(each), draw(rates)) for each in [*limits, None]),
    )


@st.composite
def tables(draw, count):
    """Draw a few rows and repeat them over the year: what matters is where the hours change."""
    rows = draw(st.lists(st.tuples(*[st.integers(0, count - 1)] * 24), min_size=1, max_size=2))
    return tuple(rows[month % len(rows)] for month in range(12))


@st.composite
def priced(draw):
    periods = tuple(draw(st.lists(rate_periods(), min_size=1, max_size=3)))
    if len(periods) == 1:
        return periods, None, None
    return periods, draw(tables(len(periods))), draw(tables(len(periods)))


@st.composite
def components(draw):
    kind = draw(st.sampled_from([Kind.ENERGY, Kind.ENERGY, Kind.EXPORT, Kind.DEMAND, Kind.FIXED, Kind.MINIMUM]))
    per = draw(st.sampled_from(Per))
    if kind in {Kind.ENERGY, Kind.EXPORT}:
        terms = EnergyTerms(*draw(priced()), tiers_per=per)
    elif kind is Kind.DEMAND:
        terms = DemandTerms(*draw(priced()))
    else:
        terms = (FixedTerms if kind is Kind.FIXED else MinimumTerms)(draw(rates) * 10, per)
    return component(kind, terms, draw(st.sampled_from(["Energy", "Energy", "Network"])))


@st.composite
def cases(draw):
    """Draw a zone, versions one after the other, and half-hours of some days, clock changes among them."""
    zone = draw(st.sampled_from(ZONES))
    first = draw(st.sampled_from([date(2025, 3, 1), date(2025, 3, 25), date(2025, 10, 20), date(2025, 6, 28)]))
    days = draw(st.integers(2, 15))
    changes = sorted(draw(st.sets(st.integers(1, days - 1), max_size=2)))
    starts = [date(2020, 1, 1), *(first + timedelta(days=change) for change in changes)]
    versions = [
        version(
            start,
            after,
            *draw(st.lists(components(), min_size=1, max_size=4)),
            name=f"v{number}",
            tax_code="GST",
            zone=zone,
        )
        for number, (start, after) in enumerate(zip(starts, [*starts[1:], None], strict=True))
    ]
    low, high = midnight(first, zone), midnight(first + timedelta(days=days), zone)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    imported, exported = (some_half_hours(random, low, high) for _ in range(2))
    return zone, versions, imported, exported


def some_half_hours(random, low, high):
    count = (high - low) // HALF_HOUR
    known = np.ones(count, dtype=np.bool_)
    return HalfHours(low, random.integers(0, 2_000_000, count), known, ~known)


class SlowModel:
    """Walks over half-hours one by one and sums in Decimal; lines by version, component, rate period and tier."""

    def __init__(self, zone, imported, exported):
        self.zone = zone
        local = [(imported.start + n * HALF_HOUR).astimezone(zone) for n in range(len(imported))]
        self.half_hours = [
            (when, Decimal(int(came)) / 10**6, Decimal(int(went)) / 10**6)
            for when, came, went in zip(local, imported.energy_ukwh, exported.energy_ukwh, strict=True)
        ]
        self.days = len({when.date() for when in local})
        self.reached = defaultdict(Decimal)
        self.lines = defaultdict(Decimal)
        self.amounts = {}

    def rate(self, versions):
        for each in versions:
            inside = [
                item for item in self.half_hours if each.start <= item[0] and (each.end is None or item[0] < each.end)
            ]
            if inside:
                self._charge(each, inside)
        return self

    def _charge(self, each, inside):
        before = sum(self.amounts.values())
        same = Counter()
        for item in each.components:
            like = (item.kind, item.name)
            if item.kind in {Kind.ENERGY, Kind.EXPORT}:
                self._energy(each, item, inside, (*like, same[like]))
            elif item.kind is Kind.DEMAND:
                self._demand(each, item, inside)
            elif item.kind is Kind.FIXED:
                self.amounts[each.id, item.id] = self._cents(item.terms.amount * self._times(inside, item.terms.per))
            same[like] += 1
        for item in each.components:
            if item.kind is Kind.MINIMUM:
                least = self._cents(item.terms.amount * self._times(inside, item.terms.per))
                self.amounts[each.id, item.id] = max(least - (sum(self.amounts.values()) - before), 0)

    def _energy(self, each, item, inside, like):
        times = self.days if item.terms.tiers_per is Per.DAY else 1
        sums = defaultdict(Decimal)
        for when, came, went in inside:
            number = self._period(item.terms, when)
            period = item.terms.periods[number]
            namesakes = [other.name for other in item.terms.periods[:number]].count(period.name)
            key = (*like, period.name, namesakes)
            left = went if item.kind is Kind.EXPORT else came
            for tier_number, tier in enumerate(period.tiers):
                room = left if tier.up_to is None else max(tier.up_to * times - self.reached[key], Decimal(0))
                part = min(left, room)
                sums[number, tier_number] += part
                self.reached[key] += part
                left -= part
        sign = -1 if item.kind is Kind.EXPORT else 1
        for (number, tier_number), kwh in sums.items():
            self.lines[each.id, item.id, number, tier_number] = kwh
            amount = sign * self._cents(kwh * item.terms.periods[number].tiers[tier_number].rate)
            self.amounts[each.id, item.id, number, tier_number] = amount

    def _demand(self, each, item, inside):
        months = defaultdict(list)
        for when, came, _ in inside:
            months[when.year, when.month].append((when, came))
        for (year, month), found in months.items():
            days = local_month(YearMonth(year, month).next(), self.zone).start - midnight(
                date(year, month, 1), self.zone
            )
            share = Decimal(len({when.date() for when, _ in found})) / round(days / timedelta(days=1))
            share = share.quantize(Decimal("0.000001"), ROUND_HALF_UP)
            highest = defaultdict(Decimal)
            for when, came in found:
                number = self._period(item.terms, when)
                highest[number] = max(highest[number], came)
            for number, came in highest.items():
                reached, power = Decimal(0), 2 * came
                for tier_number, tier in enumerate(item.terms.periods[number].tiers):
                    part = power - reached if tier.up_to is None else min(power, Decimal(tier.up_to)) - reached
                    if part > 0:
                        self.amounts[each.id, item.id, year, month, number, tier_number] = self._cents(
                            part * tier.rate * share
                        )
                        reached += part

    def _times(self, inside, per):
        dates = {when.date() for when, _, _ in inside}
        if per is Per.DAY:
            return Decimal(len(dates))
        months = Counter((day.year, day.month) for day in dates)
        shares = [
            Decimal(count) / (date(year + month // 12, month % 12 + 1, 1) - date(year, month, 1)).days
            for (year, month), count in months.items()
        ]
        return sum((share.quantize(Decimal("0.000001"), ROUND_HALF_UP) for share in shares), Decimal(0))

    @staticmethod
    def _period(terms, when):
        if terms.weekday is None:
            return 0
        return (terms.weekend if when.weekday() >= 5 else terms.weekday)[when.month - 1][when.hour]

    @staticmethod
    def _cents(amount):
        return amount.quantize(CENT, ROUND_HALF_UP)


class TestAgainstTheSlowModel:
    @settings(max_examples=100, deadline=None)
    @given(cases())
    def test_energies_and_amounts_are_the_same(self, case):
        zone, versions, imported, exported = case

        rating = rated_profile(imported, *versions, taxes=(TAX,), exported=exported, zone=zone)

        model = SlowModel(zone, imported, exported).rate(versions)
        lines = {
            (line.version.id, line.component.id, line.detail["period"], line.detail["tier"]): line.quantity
            for line in rating.charges
            if line.kind in {"energy", "export"} and line.quantity
        }
        assert lines == {key: kwh for key, kwh in model.lines.items() if kwh}
        assert rating.subtotal == sum(model.amounts.values())
        assert rating.tax == (rating.subtotal * Decimal("0.09")).quantize(CENT, ROUND_HALF_UP)

    @settings(max_examples=40, deadline=None)
    @given(cases())
    def test_each_component_of_energy_charges_all_of_it(self, case):
        zone, versions, imported, exported = case

        rating = rated_profile(imported, *versions, taxes=(TAX,), exported=exported, zone=zone)

        for each in versions:
            for item in each.components:
                if item.kind is not Kind.ENERGY:
                    continue
                charged = sum(line.quantity for line in rating.charges if line.component is item)
                end = min(each.end or imported.end, imported.end)
                start = min(max(each.start, imported.start), end)
                assert charged == imported.between(start, end).total_kwh


TAX = gst(date(2007, 7, 1), None, "9")
EXTRAS = (
    component(Kind.EXPORT, tiered((None, "0.0713")), "Feed-in"),
    component(Kind.DEMAND, DemandTerms((RatePeriod("", tiers(("2", "0.5"), (None, "1.37"))),)), "Demand"),
    component(Kind.FIXED, FixedTerms(Decimal("0.2749"), Per.DAY), "Basic charge"),
    component(Kind.MINIMUM, MinimumTerms(Decimal(25), Per.MONTH), "Minimum"),
)


def many_versions(random):
    """Return an early and a late version of a tariff that has everything, at random prices."""
    prices = [Decimal(int(each)).scaleb(-6) for each in random.integers(1, 600_000, 8)]
    limits = [Decimal(int(each)) for each in np.sort(random.choice(600, 2, replace=False)) + 1]
    for number, start in enumerate((date(2020, 1, 1), date(2025, 3, 15))):
        night, day, low, middle, high = prices[number : number + 5]
        energy = day_and_night((Tier(limits[0], night), Tier(None, night / 2)), (Tier(limits[1], day), Tier(None, low)))
        adder = EnergyTerms((RatePeriod("", (Tier(limits[0], low), Tier(limits[1], middle), Tier(None, high))),))
        yield version(
            start,
            date(2025, 3, 15) if number == 0 else None,
            component(Kind.ENERGY, energy, "Electricity"),
            component(Kind.ENERGY, adder, "Adder"),
            *EXTRAS,
            name=f"v{number}",
            tax_code="GST",
        )


class TestManyBills:
    @pytest.mark.parametrize("seed", range(4))
    def test_lines_sum_to_the_total_to_the_cent(self, seed):
        random = np.random.default_rng(seed)
        zone = ZONES[0]
        months = [local_month(YearMonth(2025, month), zone) for month in (2, 3, 4)]
        tariffs = [tuple(many_versions(random)) for _ in range(10)]

        for number in range(BILLS // 4):
            month, versions = months[number % 3], tariffs[number % 10]
            imported, exported = (some_half_hours(random, month.start, month.end) for _ in range(2))
            used = metered(imported, cuts(month.start, month.end, versions, (TAX,)), exported=exported, zone=zone)

            rating = rate([used], {POINT: versions}, (TAX,), hours=HOURS)

            assert sum(line.amount for line in rating.lines) == rating.total == rating.total.quantize(CENT)
            assert rating.tax == (rating.subtotal * TAX.rate).quantize(CENT, ROUND_HALF_UP)
            for name in ("Electricity", "Adder"):
                charged = [line for line in rating.charges if line.component.name == name]
                assert sum(line.quantity for line in charged) == imported.total_kwh
                assert all(line.amount == (line.quantity * line.rate).quantize(CENT, ROUND_HALF_UP) for line in charged)
