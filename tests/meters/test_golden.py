"""The golden cases of the metering rules, by their numbers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

import pytest

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR, Period, local_day
from meters.models import ReadingException, RegisterReading, SupersededReading
from meters.selectors.consumption import Granularity, account_consumption, meter_consumption, named_period
from meters.services.chain import exchange_meter, install_meter
from meters.services.estimating import estimate_pending
from meters.services.flagging import flag_pending
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import (
    BindingFactory,
    CustomerAccountFactory,
    MeterFactory,
    PremisesFactory,
    RegisterFactory,
    ServicePointFactory,
    supplied_register,
)

SGT = ZoneInfo("Asia/Singapore")
NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def offer(register, *stamped, now=NOW):
    rows = [OfferedReading(register.meter.serial, stamp, value) for stamp, value in stamped]
    return receive_readings(readings=rows, actor=PORTAL, now=now)


def stored(register):
    return [
        (time.astimezone(UTC).isoformat(), value)
        for time, value in RegisterReading.objects.filter(register=register)
        .order_by("time")
        .values_list("time", "value")
    ]


class TestCase1MinuteBeforeMidnight:
    @pytest.mark.parametrize(
        ("stamp", "instant"),
        [
            ("2024-12-31T23:59:00+08:00", "2024-12-31T16:00:00+00:00"),
            ("2024-02-29T23:59:00", "2024-02-29T16:00:00+00:00"),
        ],
    )
    def test_becomes_the_midnight_that_ends_its_day(self, stamp, instant):
        register = supplied_register()

        report = offer(register, (stamp, 100))

        assert report.stored == 1
        assert stored(register) == [(instant, Decimal(100))]
        assert RegisterReading.objects.get(register=register).raw_stamp == stamp

    @pytest.mark.parametrize(("year", "month", "last"), [(2024, 12, 31), (2024, 2, 29)])
    def test_closes_its_own_month(self, year, month, last):
        register = supplied_register()
        offer(
            register,
            (datetime(year, month, 1, tzinfo=SGT), 100),
            (f"{year}-{month:02}-{last}T23:59:00+08:00", 350.5),
        )
        now = datetime(year, month, last, tzinfo=SGT) + timedelta(days=3)

        consumption = meter_consumption(
            meter=register.meter,
            period=named_period("last_month", now=now, zone=SGT),
            granularity=None,
            now=now,
        )

        assert (consumption.energy_kwh, consumption.complete) == (Decimal("250.5"), True)

    def test_makes_the_same_value_at_midnight_a_duplicate(self):
        register = supplied_register()

        report = offer(register, ("2024-12-31T23:59:00", "7.5"), ("2025-01-01T00:00:00", 7.5))

        assert (report.stored, report.duplicates, report.conflicts) == (1, 1, ())

    def test_makes_another_value_at_midnight_a_conflict_where_the_first_stands(self):
        register = supplied_register()
        offer(register, ("2024-12-31T23:59:00", "7.5"))

        report = offer(register, ("2025-01-01T00:00:00", "7.6"))

        assert [(each.index, each.code) for each in report.conflicts] == [(0, "conflict")]
        assert stored(register) == [("2024-12-31T16:00:00+00:00", Decimal("7.5"))]
        exception = ReadingException.objects.get()
        assert (exception.code, exception.offered_value, exception.standing_value, exception.status) == (
            "conflict",
            Decimal("7.6"),
            Decimal("7.5"),
            "open",
        )

    def test_does_not_open_the_same_conflict_twice(self):
        register = supplied_register()
        offer(register, ("2024-12-31T23:59:00", "7.5"))

        for _ in range(2):
            offer(register, ("2025-01-01T00:00:00", "7.6"), ("2025-01-01T00:00:00", "7.6"))

        assert ReadingException.objects.count() == 1

    def test_leaves_a_quarter_past_ten_outside(self):
        register = supplied_register()

        report = offer(register, ("2025-01-01T10:15:00+08:00", 1))

        assert [each.code for each in report.rejected] == ["off_mark"]
        assert stored(register) == []


class TestCase2Rollover:
    @pytest.mark.parametrize(("before", "after", "energy"), [("99999.9", "0.0", "0.1"), ("99998.7", "3.4", "4.7")])
    def test_counts_on_past_the_modulus(self, before, after, energy):
        register = supplied_register(digits=5, decimals=1)

        report = offer(register, ("2025-03-01T10:00:00", before), ("2025-03-01T10:30:00", after))

        assert report.stored == 2
        half_hour = meter_consumption(
            meter=register.meter,
            period=Period(datetime(2025, 3, 1, 10, tzinfo=SGT), datetime(2025, 3, 1, 10, 30, tzinfo=SGT)),
            granularity=None,
            now=NOW,
        )
        assert half_hour.energy_kwh == Decimal(energy)

    def test_is_noted_once_and_waits_for_nobody(self):
        register = supplied_register(digits=5, decimals=1)

        for _ in range(2):
            offer(register, ("2025-03-01T10:00:00", "99999.9"), ("2025-03-01T10:30:00", "0.0"))

        exception = ReadingException.objects.get()
        assert (exception.code, exception.status) == ("rollover", "accepted")

    def test_is_not_what_a_fall_back_is(self):
        register = supplied_register(digits=5, decimals=1)

        report = offer(register, ("2025-03-01T10:00:00", "50000.0"), ("2025-03-01T10:30:00", "49990.0"))

        assert [(each.index, each.code) for each in report.rejected] == [(1, "regression")]
        assert report.stored == 1


class TestCase3LateReading:
    @pytest.fixture
    def register(self):
        register = supplied_register()
        offer(register, ("2025-03-01T10:00:00", "500.0"), ("2025-03-01T11:00:00", "501.2"))
        return register

    def test_divides_the_energy_between_its_neighbours(self, register):
        report = offer(register, ("2025-03-01T10:30:00", "500.7"))

        assert report.stored == 1
        series = meter_consumption(
            meter=register.meter,
            period=Period(datetime(2025, 3, 1, 10, tzinfo=SGT), datetime(2025, 3, 1, 11, tzinfo=SGT)),
            granularity=Granularity.HALF_HOUR,
            now=NOW,
        ).series
        assert [each.energy_kwh for each in series] == [Decimal("0.7"), Decimal("0.5")]

    def test_is_refused_above_the_later_neighbour(self, register):
        report = offer(register, ("2025-03-01T10:30:00", "501.5"))

        assert [each.code for each in report.rejected] == ["regression"]
        assert len(stored(register)) == 2

    def test_is_refused_below_the_earlier_neighbour(self, register):
        report = offer(register, ("2025-03-01T10:30:00", "499.9"))

        assert [each.code for each in report.rejected] == ["regression"]


class TestCase4Exchange:
    def test_adds_what_both_meters_counted(self):
        point = ServicePointFactory()
        account = BindingFactory(service_point=point).account
        old, new = (RegisterFactory(meter=MeterFactory()) for _ in range(2))
        install_meter(
            meter=old.meter,
            service_point=point,
            at=datetime(2025, 1, 1, tzinfo=SGT),
            first_reads={old.pk: Decimal(45000)},
            actor=PORTAL,
            now=NOW,
        )
        offer(old, ("2025-03-01T14:00:00", "45210.0"))
        exchange_meter(
            service_point=point,
            last_reads={old.pk: Decimal("45210.3")},
            new_meter=new.meter,
            first_reads={new.pk: Decimal("12.0")},
            at=datetime(2025, 3, 1, 14, 17, tzinfo=SGT),
            actor=PORTAL,
            now=NOW,
        )
        offer(new, ("2025-03-01T14:30:00", "12.1"))

        consumption = account_consumption(
            account=account,
            period=Period(datetime(2025, 3, 1, 14, tzinfo=SGT), datetime(2025, 3, 1, 14, 30, tzinfo=SGT)),
            granularity=Granularity.HALF_HOUR,
            now=NOW,
        )

        assert (consumption.energy_kwh, consumption.complete, consumption.estimated_share) == (Decimal("0.4"), True, 0)
        assert [each.energy_kwh for each in consumption.series] == [Decimal("0.4")]


class TestCase5Estimation:
    """On Wednesday, 5 March 2025; the Tuesday before is a like day."""

    @staticmethod
    def noon(half_hours):
        return datetime(2025, 3, 5, 12, tzinfo=SGT) + half_hours * HALF_HOUR

    @staticmethod
    def values(register, start, end):
        rows = RegisterReading.objects.filter(register=register, time__gt=start, time__lt=end).order_by("time")
        return list(rows.values_list("value", "quality"))

    @staticmethod
    def undone(register):
        return list(
            SupersededReading.objects.filter(register=register, reason="true_data")
            .order_by("time")
            .values_list("value", "quality")
        )

    def test_lies_on_a_line_over_two_hours(self):
        register = supplied_register()
        offer(register, ("2025-03-01T10:00:00", "100.0"), ("2025-03-01T12:00:00", "104.0"))

        estimate_pending(now=NOW)

        start, end = datetime(2025, 3, 1, 10, tzinfo=SGT), datetime(2025, 3, 1, 12, tzinfo=SGT)
        assert self.values(register, start, end) == [(101, 9), (102, 9), (103, 9)]

    @pytest.fixture
    def register(self):
        """A dial with a like day of 0.2 0.2 0.4 0.8 0.4 from noon on, and 5.0 in two and a half hours of the next."""
        register = supplied_register()
        like = {24: "0.2", 25: "0.2", 26: "0.4", 27: "0.8", 28: "0.4"}
        shown, rows = Decimal(90), [(datetime(2025, 3, 4, tzinfo=SGT), Decimal(90))]
        for half_hour in range(72):
            shown += Decimal(like.get(half_hour, "0.1"))
            rows.append((rows[0][0] + (half_hour + 1) * HALF_HOUR, shown))
        offer(register, *rows, (self.noon(5), shown + 5))
        return register

    def test_takes_after_a_like_day_over_more(self, register):
        estimate_pending(now=NOW)

        estimated = self.values(register, self.noon(0), self.noon(5))
        ends = [RegisterReading.objects.get(register=register, time=self.noon(each)).value for each in (0, 5)]
        shown = [ends[0], *(value for value, _ in estimated), ends[1]]
        assert [later - earlier for earlier, later in pairwise(shown)] == [
            Decimal(each) for each in ("0.5", "0.5", "1.0", "2.0", "1.0")
        ]
        assert {quality for _, quality in estimated} == {8}

    def test_gives_way_to_true_data_and_stays_in_history(self, register):
        offer(register, ("2025-03-01T10:00:00", "80.0"), ("2025-03-01T12:00:00", "84.0"))
        estimate_pending(now=NOW)
        line = self.values(register, datetime(2025, 3, 1, 10, tzinfo=SGT), datetime(2025, 3, 1, 12, tzinfo=SGT))
        like_day = self.values(register, self.noon(0), self.noon(5))
        base = RegisterReading.objects.get(register=register, time=self.noon(0)).value

        offer(
            register,
            *((f"2025-03-01T{stamp}:00", value) for stamp, value in (("10:30", 82), ("11:00", 83), ("11:30", 84))),
            *((self.noon(number), base + number) for number in range(1, 5)),
        )
        estimate_pending(now=NOW)

        after = self.values(register, self.noon(0), self.noon(5))
        assert [(value - base, quality) for value, quality in after] == [(number, 17) for number in range(1, 5)]
        assert self.undone(register) == [*line, *like_day]


class TestCase6Spike:
    @pytest.mark.parametrize(("highest", "caught"), [("3.6", ["3.6 kWh is 260 % above"]), ("2.7", [])])
    def test_stands_out_from_the_third_highest_half_hour(self, highest, caught):
        register = supplied_register()
        shown = list(accumulate(map(Decimal, ("1.0", "1.1", highest)), initial=Decimal(500)))
        start = datetime(2025, 3, 1, 10, tzinfo=SGT)
        offer(register, *((start + n * HALF_HOUR, value) for n, value in enumerate(shown)))

        flag_pending(now=NOW)

        details = ReadingException.objects.filter(code="spike").values_list("detail", flat=True)
        assert [detail.split(" the third")[0] for detail in details] == caught


class TestCase7PreviousMonth:
    def test_lies_between_its_own_midnights(self):
        register = supplied_register()
        offer(
            register,
            ("2025-01-31T16:00:00Z", "1000.0"),
            ("2025-02-01T00:00:00Z", "1004.2"),
            ("2025-02-28T16:00:00Z", "1450.5"),
            ("2025-03-01T00:00:00Z", "1452.9"),
        )
        account = register.meter.installations.get().service_point.bindings.get().account

        consumption = account_consumption(
            account=account,
            period=named_period("last_month", now=NOW, zone=SGT),
            granularity=Granularity.DAY,
            now=NOW,
        )

        assert consumption.energy_kwh == Decimal("450.5")
        assert consumption.complete
        assert len(consumption.series) == 28
        assert all(each.energy_kwh is None for each in consumption.series)


class TestCase8ClockChange:
    @pytest.mark.parametrize(
        ("day", "half_hours", "energy"),
        [(datetime(2025, 3, 30), 46, "23.0"), (datetime(2025, 10, 26), 50, "25.0")],
    )
    def test_makes_a_day_of_one_kilowatt_shorter_or_longer(self, day, half_hours, energy):
        berlin = ZoneInfo("Europe/Berlin")
        account = CustomerAccountFactory(zone="Europe/Berlin")
        point = ServicePointFactory(premises=PremisesFactory(zone="Europe/Berlin"))
        BindingFactory(account=account, service_point=point)
        register = RegisterFactory()
        now = datetime(2025, 11, 1, tzinfo=UTC)
        period = local_day(day.date(), berlin)
        install_meter(meter=register.meter, service_point=point, at=period.start, first_reads={}, actor=PORTAL, now=now)
        offer(
            register,
            *((period.start + n * HALF_HOUR, Decimal(n) / 2) for n in range(half_hours + 1)),
            now=now,
        )

        by_half_hour, by_day = (
            account_consumption(account=account, period=period, granularity=granularity, now=now)
            for granularity in (Granularity.HALF_HOUR, Granularity.DAY)
        )

        assert len(by_half_hour.series) == half_hours
        assert [each.energy_kwh for each in by_day.series] == [Decimal(energy)]
        assert by_half_hour.energy_kwh == by_day.energy_kwh == Decimal(energy)
