from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest

from billing.rating import HalfHoursMissing, cuts
from billing.rating.terms import EnergyTerms, FixedTerms, Kind, Per, RatePeriod
from energy_portal.shared.clock import HALF_HOUR, Period, YearMonth, local_day, local_month
from meters.halfhours import HalfHours
from tests.billing.ratings import (
    BERLIN,
    SINGAPORE,
    component,
    constant,
    day_and_night,
    gst,
    half_hours,
    metered,
    midnight,
    rated,
    rated_profile,
    stretch,
    supply,
    tiered,
    tiers,
    version,
)

APRIL = local_month(YearMonth(2025, 4), SINGAPORE)
POINT_1, POINT_2 = UUID(int=1), UUID(int=2)
GST_9 = gst(date(2024, 1, 1), None, "9")
PLAIN = day_and_night(tiers((None, "0.1825")), tiers((None, "0.3050")))


def always(*components, **options):
    return version(date(2020, 1, 1), None, *components, **options)


def amounts(lines):
    return [(line.quantity, line.amount) for line in lines]


class TestGoldenCaseTen:
    def test_is_met_line_by_line(self):
        peak, base = Decimal("180.5"), Decimal("264.25")
        day = local_day(date(2025, 4, 1), SINGAPORE)  # a Tuesday
        energy = np.zeros(APRIL.duration // HALF_HOUR)
        imported = half_hours(APRIL.start, energy)
        imported.energy_ukwh[(day.duration // HALF_HOUR) // 2] = int(peak.scaleb(6))
        imported.energy_ukwh[0] = int(base.scaleb(6))
        prices = always(
            component(Kind.ENERGY, PLAIN, "Electricity"),
            component(Kind.ENERGY, tiered(("200", "0.02"), ("400", "0.045"), (None, "0.08")), "Adder"),
            component(Kind.FIXED, FixedTerms(Decimal("0.2750"), Per.DAY), "Basic charge"),
            tax_code="GST",
        )

        rating = rated_profile(imported, prices, taxes=(GST_9,))

        assert [
            (line.detail.get("period_name"), line.quantity, line.rate, f"{line.amount}") for line in rating.lines
        ] == [
            ("Night", base, Decimal("0.1825"), "48.23"),
            ("Day", peak, Decimal("0.3050"), "55.05"),
            ("", 200, Decimal("0.02"), "4.00"),
            ("", 200, Decimal("0.045"), "9.00"),
            ("", Decimal("44.75"), Decimal("0.08"), "3.58"),
            (None, 30, Decimal("0.2750"), "8.25"),
            (None, Decimal("128.11"), Decimal("0.09"), "11.53"),
        ]
        assert (rating.subtotal, rating.tax, rating.total) == (Decimal("128.11"), Decimal("11.53"), Decimal("139.64"))


class TestTimeOfUse:
    def test_takes_weekdays_by_one_table_and_weekends_by_the_other(self):
        prices = always(component(Kind.ENERGY, PLAIN))

        rating = rated_profile(constant(APRIL.start, APRIL.end), prices)

        weekdays = 22
        day = Decimal("0.5") * weekdays * 32
        assert amounts(rating.lines) == [(720 - day, Decimal("67.16")), (day, Decimal("107.36"))]

    def test_takes_each_month_by_its_row(self):
        winter, summer = ((0,) * 24,) * 6, ((1,) * 24,) * 6
        seasons = EnergyTerms(PLAIN.periods, winter + summer, winter + summer)
        june, july = (local_month(YearMonth(2025, month), SINGAPORE) for month in (6, 7))

        rating = rated_profile(constant(june.start, july.end), always(component(Kind.ENERGY, seasons)))

        assert [line.quantity for line in rating.lines] == [30 * 24, 31 * 24]

    @pytest.mark.parametrize(
        ("day", "night_half_hours", "day_half_hours"),
        [(date(2025, 3, 30), 10, 36), (date(2025, 3, 29), 12, 36), (date(2025, 10, 26), 14, 36)],
        ids=["46 half-hours", "48 half-hours", "50 half-hours"],
    )
    def test_follows_the_local_clock_where_it_changes(self, day, night_half_hours, day_half_hours):
        row = (0,) * 6 + (1,) * 18
        by_clock = EnergyTerms(PLAIN.periods, (row,) * 12, (row,) * 12)
        whole = local_day(day, BERLIN)

        rating = rated_profile(constant(whole.start, whole.end), always(component(Kind.ENERGY, by_clock)), zone=BERLIN)

        assert [line.quantity for line in rating.lines] == [night_half_hours / Decimal(2), day_half_hours / Decimal(2)]

    @pytest.mark.parametrize(("month", "kwh"), [(3, 743), (10, 745)])
    def test_loses_and_doubles_no_hour_of_a_month_in_which_the_clock_changes(self, month, kwh):
        whole = local_month(YearMonth(2025, month), BERLIN)

        rating = rated_profile(constant(whole.start, whole.end), always(component(Kind.ENERGY, PLAIN)), zone=BERLIN)

        assert sum(line.quantity for line in rating.lines) == kwh

    def test_puts_each_half_hour_to_the_version_in_force(self):
        early = version(date(2025, 1, 1), date(2025, 4, 11), component(Kind.ENERGY, PLAIN), name="early")
        dearer = day_and_night(tiers((None, "0.20")), tiers((None, "0.40")))
        late = version(date(2025, 4, 11), None, component(Kind.ENERGY, dearer), name="late")

        rating = rated_profile(constant(APRIL.start, APRIL.end), early, late)

        assert [(line.version.name, line.quantity, line.rate) for line in rating.lines] == [
            ("early", 240 - 8 * 16, Decimal("0.1825")),
            ("early", 8 * 16, Decimal("0.3050")),
            ("late", 480 - 14 * 16, Decimal("0.20")),
            ("late", 14 * 16, Decimal("0.40")),
        ]
        assert {line.end for line in rating.lines[:2]} == {late.start} == {line.start for line in rating.lines[2:]}

    def test_says_nothing_of_a_period_without_energy(self):
        energy = [0] * 1440
        energy[0] = 1

        rating = rated_profile(half_hours(APRIL.start, energy), always(component(Kind.ENERGY, PLAIN)))

        assert [line.detail["period_name"] for line in rating.lines] == ["Night"]

    def test_keeps_one_line_where_nothing_was_used(self):
        rating = rated_profile(constant(APRIL.start, APRIL.end, "0"), always(component(Kind.ENERGY, PLAIN)))

        assert amounts(rating.lines) == [(0, Decimal("0.00"))]

    def test_refuses_a_half_hour_that_is_not_known(self):
        known = np.ones(1440, dtype=np.bool_)
        known[700] = False
        found = constant(APRIL.start, APRIL.end)
        gappy = HalfHours(found.start, found.energy_ukwh, known, found.estimated)

        with pytest.raises(HalfHoursMissing):
            rated_profile(gappy, always(component(Kind.ENERGY, PLAIN)))

    @pytest.mark.parametrize("missing", [timedelta(hours=1), timedelta(hours=-1)], ids=["at the end", "at the start"])
    def test_refuses_half_hours_that_do_not_reach(self, missing):
        low, high = (APRIL.start, APRIL.end - missing) if missing > timedelta(0) else (APRIL.start - missing, APRIL.end)
        used = metered(constant(low, high), (APRIL.start, APRIL.end))

        with pytest.raises(HalfHoursMissing):
            rated(used, versions=[always(component(Kind.ENERGY, PLAIN))])

    def test_asks_no_half_hours_of_one_period(self):
        used = supply(stretch(APRIL.start, APRIL.end, "300"))

        rating = rated(used, versions=[always(component(Kind.ENERGY, tiered(("200", "0.1"), (None, "0.2"))))])

        assert amounts(rating.lines) == [(200, 20), (100, 20)]


class TestTiers:
    def test_begin_at_their_limits(self):
        used = supply(stretch(APRIL.start, APRIL.end, "400"))

        rating = rated(used, versions=[always(component(Kind.ENERGY, tiered(("200", "1"), ("400", "2"), (None, "3"))))])

        assert [(line.quantity, line.detail["tier"], line.detail["tier_from"]) for line in rating.lines] == [
            (200, 0, "0"),
            (200, 1, "200"),
        ]
        assert [line.detail["tier_up_to"] for line in rating.lines] == ["200", "400"]

    def test_go_on_where_the_version_before_ended(self):
        turn = midnight(date(2025, 4, 11))
        early = version(
            date(2025, 1, 1), date(2025, 4, 11), component(Kind.ENERGY, tiered(("200", "0.1"), (None, "0.2")), "Energy")
        )
        late = version(
            date(2025, 4, 11), None, component(Kind.ENERGY, tiered(("300", "0.3"), (None, "0.4")), "Energy"), name="v2"
        )
        used = supply(stretch(APRIL.start, turn, "250"), stretch(turn, APRIL.end, "150"))

        rating = rated(used, versions=[early, late])

        assert [(line.version.name, line.quantity, line.rate) for line in rating.lines] == [
            ("v1", 200, Decimal("0.1")),
            ("v1", 50, Decimal("0.2")),
            ("v2", 50, Decimal("0.3")),
            ("v2", 100, Decimal("0.4")),
        ]

    def test_begin_anew_for_a_component_of_another_name(self):
        turn = midnight(date(2025, 4, 11))
        terms = tiered(("200", "0.1"), (None, "0.2"))
        early = version(date(2025, 1, 1), date(2025, 4, 11), component(Kind.ENERGY, terms, "Energy"))
        late = version(date(2025, 4, 11), None, component(Kind.ENERGY, terms, "Network"))
        used = supply(stretch(APRIL.start, turn, "250"), stretch(turn, APRIL.end, "150"))

        rating = rated(used, versions=[early, late])

        assert [line.quantity for line in rating.lines] == [200, 50, 150]

    def test_of_two_components_of_one_name_do_not_count_each_other(self):
        terms = tiered(("200", "0.1"), (None, "0.2"))
        prices = always(component(Kind.ENERGY, terms, "Energy"), component(Kind.ENERGY, terms, "Energy"))

        rating = rated(supply(stretch(APRIL.start, APRIL.end, "300")), versions=[prices])

        assert [line.quantity for line in rating.lines] == [200, 100, 200, 100]

    def test_count_each_period_s_own_energy(self):
        terms = day_and_night(tiers(("100", "0.1"), (None, "0.2")), tiers(("300", "0.3"), (None, "0.4")))

        rating = rated_profile(constant(APRIL.start, APRIL.end), always(component(Kind.ENERGY, terms)))

        assert [(line.detail["period"], line.detail["tier"], line.quantity) for line in rating.lines] == [
            (0, 0, 100),
            (0, 1, 268),
            (1, 0, 300),
            (1, 1, 52),
        ]

    def test_go_on_within_each_period_over_a_version_change(self):
        before = day_and_night(tiers(("100", "0.1"), (None, "0.2")), tiers(("300", "0.3"), (None, "0.4")))
        after = day_and_night(tiers(("200", "0.5"), (None, "0.6")), tiers(("300", "0.7"), (None, "0.8")))
        early = version(date(2025, 1, 1), date(2025, 4, 11), component(Kind.ENERGY, before))
        late = version(date(2025, 4, 11), None, component(Kind.ENERGY, after))

        rating = rated_profile(constant(APRIL.start, APRIL.end), early, late)

        assert [(line.rate, line.quantity) for line in rating.lines] == [
            (Decimal("0.1"), 100),
            (Decimal("0.2"), 12),
            (Decimal("0.3"), 128),
            (Decimal("0.5"), 88),
            (Decimal("0.6"), 168),
            (Decimal("0.7"), 172),
            (Decimal("0.8"), 52),
        ]

    def test_of_a_day_are_as_many_times_as_high_as_there_are_days_of_supply(self):
        terms = EnergyTerms((RatePeriod("", tiers(("10", "0.1"), (None, "0.2"))),), tiers_per=Per.DAY)
        moved_in = midnight(date(2025, 4, 21))

        rating = rated(supply(stretch(moved_in, APRIL.end, "150")), versions=[always(component(Kind.ENERGY, terms))])

        assert [(line.quantity, line.detail["tier_from"]) for line in rating.lines] == [(100, "0"), (50, "100")]

    def test_are_not_lowered_for_a_part_of_a_month(self):
        moved_in = midnight(date(2025, 4, 21))
        prices = always(component(Kind.ENERGY, tiered(("200", "0.1"), (None, "0.2"))))

        rating = rated(supply(stretch(moved_in, APRIL.end, "150")), versions=[prices])

        assert [line.quantity for line in rating.lines] == [150]

    def test_are_counted_at_each_service_point_alone(self):
        points = [supply(stretch(APRIL.start, APRIL.end, "150"), point=point) for point in (POINT_1, POINT_2)]
        prices = always(component(Kind.ENERGY, tiered(("200", "0.1"), (None, "0.2"))))

        rating = rated(*points, versions=[prices])

        assert [(line.supply.service_point_id, line.quantity) for line in rating.lines] == [
            (POINT_1, 150),
            (POINT_2, 150),
        ]

    def test_go_on_over_two_stays_at_one_service_point(self):
        first, second = Period(APRIL.start, midnight(date(2025, 4, 6))), Period(midnight(date(2025, 4, 16)), APRIL.end)
        stays = [supply(stretch(stay.start, stay.end, "150")) for stay in (first, second)]
        prices = always(component(Kind.ENERGY, tiered(("200", "0.1"), (None, "0.2"))))

        rating = rated(*stays, versions=[prices])

        assert [line.quantity for line in rating.lines] == [150, 50, 100]


class TestExport:
    def test_is_credited_at_a_positive_rate(self):
        prices = always(component(Kind.EXPORT, tiered((None, "0.1")), "Feed-in"), tax_code="GST")
        given = constant(APRIL.start, APRIL.end, "0.1")

        rating = rated_profile(constant(APRIL.start, APRIL.end), prices, exported=given, taxes=(GST_9,))

        (credit,) = rating.charges
        assert (credit.kind, credit.quantity, credit.rate, credit.amount) == (
            "export",
            144,
            Decimal("0.1"),
            Decimal("-14.40"),
        )
        assert (rating.tax, rating.total) == (Decimal("-1.30"), Decimal("-15.70"))

    def test_has_hours_and_tiers_of_its_own(self):
        terms = day_and_night(tiers((None, "0.05")), tiers(("50", "0.10"), (None, "0.02")))
        given = constant(APRIL.start, APRIL.end, "0.1")

        rating = rated_profile(constant(APRIL.start, APRIL.end), always(component(Kind.EXPORT, terms)), exported=given)

        assert amounts(rating.lines) == [
            (Decimal("73.6"), Decimal("-3.68")),
            (50, Decimal("-5.00")),
            (Decimal("20.4"), Decimal("-0.41")),
        ]

    def test_is_nothing_where_nothing_can_go_out(self):
        prices = always(component(Kind.EXPORT, tiered((None, "0.1"))))

        assert rated_profile(constant(APRIL.start, APRIL.end), prices).lines == ()

    def test_is_not_guessed_where_it_is_not_known(self):
        prices = always(component(Kind.EXPORT, tiered((None, "0.1"))))

        with pytest.raises(HalfHoursMissing):
            rated_profile(constant(APRIL.start, APRIL.end), prices, exported=HalfHours.unknown(APRIL.start, 1440))


class TestReads:
    def test_stand_with_the_first_line_of_energy_of_each_part(self):
        turn = midnight(date(2025, 4, 11))
        terms = tiered(("200", "0.1"), (None, "0.2"))
        early = version(date(2025, 1, 1), date(2025, 4, 11), component(Kind.ENERGY, terms))
        late = version(date(2025, 4, 11), None, component(Kind.ENERGY, terms))
        instants = cuts(APRIL.start, APRIL.end, (early, late), ())
        reads = {start: (f"{start:%d}", f"{end:%d}") for start, end in pairwise(instants)}
        used = [
            type(each)(each.start, each.end, each.energy_kwh, reads[each.start])
            for each in (stretch(APRIL.start, turn, "250"), stretch(turn, APRIL.end, "150"))
        ]

        rating = rated(supply(*used), versions=[early, late])

        assert [line.reads for line in rating.lines] == [reads[APRIL.start], (), reads[turn]]
