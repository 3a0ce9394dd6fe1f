from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from energy_portal.shared.clock import Period
from meters.selectors.consumption import (
    Granularity,
    InvalidPeriod,
    account_consumption,
    accounts_consumption,
    named_period,
)
from meters.selectors.intake import IntakeDay, open_exception_count, readings_received
from meters.selectors.periods import edges
from meters.selectors.quantities import QuantityRequest, metered_quantities
from meters.selectors.readings import readings_for
from meters.services.chain import exchange_meter
from meters.services.partitions import make_partitions_ahead
from meters.services.readings import OfferedReading, receive_readings
from meters.store import Window
from meters.tasks import make_partitions
from tests.factories import CustomerAccountFactory, RegisterFactory, ServicePointFactory, since, supplied_register

SGT = ZoneInfo("Asia/Singapore")
NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)
MARCH = datetime(2025, 2, 28, 16, tzinfo=UTC)


def at(hours):
    return MARCH + timedelta(hours=hours)


def offer(register, *rows):
    offered = [OfferedReading(register.meter.serial, at(hours), value) for hours, value in rows]
    report = receive_readings(readings=offered, actor=PORTAL, now=NOW)
    assert report.stored == len(rows)


class TestNamedPeriod:
    @pytest.mark.parametrize(
        ("name", "start", "end"),
        [
            ("last_30_minutes", "2025-03-15T11:30", "2025-03-15T12:00"),
            ("today", "2025-03-15T00:00", "2025-03-16T00:00"),
            ("week", "2025-03-10T00:00", "2025-03-17T00:00"),
            ("month", "2025-03-01T00:00", "2025-04-01T00:00"),
            ("last_month", "2025-02-01T00:00", "2025-03-01T00:00"),
        ],
    )
    def test_lies_on_the_zones_clock(self, name, start, end):
        expected = Period(*(datetime.fromisoformat(each).replace(tzinfo=SGT) for each in (start, end)))

        assert named_period(name, now=NOW, zone=SGT) == expected

    @pytest.mark.parametrize("name", ["custom", "yesterday"])
    def test_is_refused_when_it_is_none(self, name):
        with pytest.raises(InvalidPeriod):
            named_period(name, now=NOW, zone=SGT)


class TestEdges:
    def test_of_a_year_by_month_follow_the_calendar(self):
        year = Period(datetime(2025, 1, 1, tzinfo=SGT), datetime(2026, 1, 1, tzinfo=SGT))

        assert [(end - start).days for start, end in pairwise(edges(year, Granularity.MONTH, SGT))] == [
            31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31,
        ]  # fmt: skip

    def test_of_a_month_by_week_begin_on_mondays(self):
        month = Period(datetime(2025, 3, 1, tzinfo=SGT), datetime(2025, 4, 1, tzinfo=SGT))

        starts = [start.astimezone(SGT).day for start in edges(month, Granularity.WEEK, SGT)[:-1]]

        assert starts == [1, 3, 10, 17, 24, 31]

    def test_of_a_ragged_stretch_by_half_hour_fall_on_marks(self):
        ragged = Period(datetime(2025, 3, 1, 10, 10, tzinfo=SGT), datetime(2025, 3, 1, 11, 5, tzinfo=SGT))

        minutes = [start.minute for start in edges(ragged, Granularity.HALF_HOUR, SGT)]

        assert minutes == [10, 30, 0, 5]

    @pytest.mark.parametrize(("day", "count"), [(30, 46), (29, 48)])
    def test_of_a_day_by_half_hour_know_the_clock_change(self, day, count):
        berlin = ZoneInfo("Europe/Berlin")
        period = Period(
            datetime(2025, 3, day, tzinfo=berlin), datetime(2025, 3, day, tzinfo=berlin) + timedelta(days=1)
        )

        assert len(edges(period, Granularity.HALF_HOUR, berlin)) == count + 1


@pytest.mark.django_db
class TestAccountConsumption:
    @pytest.fixture
    def account(self):
        return CustomerAccountFactory()

    def test_adds_all_places(self, account):
        for used in (3, 4):
            offer(supplied_register(account=account), (0, 10), (24, 10 + used))

        consumption = account_consumption(
            account=account, period=Period(at(0), at(24)), granularity=Granularity.DAY, now=NOW
        )

        assert consumption.energy_kwh == 7
        assert [each.energy_kwh for each in consumption.series] == [7]

    def test_leaves_an_interval_blank_when_one_place_is_not_known(self, account):
        offer(supplied_register(account=account), (0, 10), (24, 13))
        supplied_register(account=account)

        consumption = account_consumption(
            account=account, period=Period(at(0), at(24)), granularity=Granularity.DAY, now=NOW
        )

        assert (consumption.energy_kwh, consumption.complete) == (3, False)
        assert [each.energy_kwh for each in consumption.series] == [None]

    def test_is_unknown_without_readings_never_zero(self, account):
        supplied_register(account=account)

        consumption = account_consumption(account=account, period=Period(at(0), at(24)), granularity=None, now=NOW)

        assert (consumption.energy_kwh, consumption.complete) == (None, False)

    def test_does_not_subtract_what_was_sent_out(self, account):
        register = supplied_register(account=account)
        export = RegisterFactory(meter=register.meter, code="2.8.0", direction="export")
        offer(register, (0, 10), (24, 13))
        receive_readings(
            readings=[OfferedReading(export.meter.serial, at(hours), hours, "2.8.0") for hours in (0, 24)],
            actor=PORTAL,
            now=NOW,
        )

        consumption = account_consumption(account=account, period=Period(at(0), at(24)), granularity=None, now=NOW)

        assert consumption.energy_kwh == 3

    def test_leaves_water_out(self, account):
        offer(supplied_register(account=account), (0, 10), (24, 13))
        point = ServicePointFactory(commodity="water")
        account.bindings.create(service_point=point, valid=since(at(-24)))

        consumption = account_consumption(account=account, period=Period(at(0), at(24)), granularity=None, now=NOW)

        assert (consumption.energy_kwh, consumption.complete) == (3, True)

    def test_estimates_an_edge_between_near_neighbours(self, account):
        offer(supplied_register(account=account), (-1, 10), (1, 14), (24, 20))

        consumption = account_consumption(account=account, period=Period(at(0), at(24)), granularity=None, now=NOW)

        assert (consumption.energy_kwh, consumption.complete) == (8, True)
        assert consumption.estimated_share == Decimal("0.25")

    @pytest.mark.parametrize("granularity", [None, *Granularity])
    def test_counts_every_turn_of_a_small_dial(self, account, granularity):
        register = supplied_register(account=account, digits=3)
        offer(register, *((hours, hours * 12 % 1000) for hours in range(241)))

        consumption = account_consumption(
            account=account, period=Period(at(0), at(240)), granularity=granularity, now=NOW
        )

        assert (consumption.energy_kwh, consumption.complete) == (2880, True)

    def test_costs_the_same_queries_for_one_account_and_for_many(self):
        accounts = [CustomerAccountFactory() for _ in range(6)]
        for account in accounts:
            offer(supplied_register(account=account), (0, 10), (24, 13))
        counts = []

        for asked in (accounts[:1], accounts):
            with CaptureQueriesContext(connection) as queries:
                answers = accounts_consumption(
                    accounts=asked, period=Period(at(0), at(24)), granularity=Granularity.DAY, now=NOW
                )
            counts.append(len(queries))
            assert {answer.energy_kwh for answer in answers.values()} == {3}

        assert counts == [4, 4]


@pytest.mark.django_db
class TestMeteredQuantities:
    def test_name_the_reads_that_they_rest_on(self):
        register = supplied_register()
        account = register.meter.installations.get().service_point.bindings.get().account
        new = RegisterFactory()
        offer(register, (0, 100), (24, 110), (48, 125))
        exchange_meter(
            service_point=register.meter.installations.get().service_point,
            last_reads={register.pk: Decimal(130)},
            new_meter=new.meter,
            first_reads={new.pk: Decimal(1)},
            at=at(50),
            actor=PORTAL,
            now=NOW,
        )
        offer(new, (72, 8))

        found = metered_quantities(requests=[QuantityRequest(account.pk, (at(0), at(48), at(72)))], now=NOW)

        first, second = found[account.pk]
        assert (first.energy_kwh, first.complete, second.energy_kwh, second.complete) == (25, True, 12, True)
        assert [(read.value, read.role) for read in first.reads] == [(100, "boundary"), (125, "boundary")]
        assert [(read.serial, read.value, read.role) for read in second.reads] == [
            (register.meter.serial, 125, "boundary"),
            (register.meter.serial, 130, "removed"),
            (new.meter.serial, 1, "installed"),
            (new.meter.serial, 8, "boundary"),
        ]

    def test_are_cut_to_the_time_of_supply(self):
        register = supplied_register()
        binding = register.meter.installations.get().service_point.bindings.get()
        binding.valid = since(at(24))
        binding.save()
        offer(register, (0, 100), (24, 110), (48, 125))

        found = metered_quantities(requests=[QuantityRequest(binding.account_id, (at(0), at(48)))], now=NOW)

        (quantity,) = found[binding.account_id]
        assert (quantity.energy_kwh, quantity.period) == (15, Period(at(24), at(48)))

    def test_are_not_known_without_an_edge(self):
        register = supplied_register()
        binding = register.meter.installations.get().service_point.bindings.get()
        offer(register, (0, 100), (45, 125))

        found = metered_quantities(requests=[QuantityRequest(binding.account_id, (at(0), at(48)))], now=NOW)

        (quantity,) = found[binding.account_id]
        assert (quantity.energy_kwh, quantity.complete) == (None, False)

    def test_cost_the_same_queries_for_one_account_and_for_many(self):
        counts = []
        requests = []
        for _ in range(2):
            for _ in range(5):
                register = supplied_register()
                offer(register, (0, 1), (24, 2))
                binding = register.meter.installations.get().service_point.bindings.get()
                requests.append(QuantityRequest(binding.account_id, (at(0), at(24))))
            with CaptureQueriesContext(connection) as queries:
                assert len(metered_quantities(requests=requests, now=NOW)) == len(requests)
            counts.append(len(queries))

        assert counts == [4, 4]

    def test_of_nobody_are_none(self):
        assert metered_quantities(requests=[], now=NOW) == {}


@pytest.mark.django_db
class TestIntake:
    def test_counts_midnight_to_the_day_before(self):
        register = supplied_register()
        offer(register, (0, 1), (0.5, 2), (24, 3), (24.5, 4))

        days = readings_received(now=at(24 + 4.2), days=2)

        assert days == [IntakeDay(date(2025, 3, 1), 2, 48), IntakeDay(date(2025, 3, 2), 1, 8)]

    def test_expects_nothing_where_no_meter_hangs(self):
        RegisterFactory()

        assert [day.expected for day in readings_received(now=NOW, days=3)] == [0, 0, 0]

    def test_counts_open_exceptions_by_code(self):
        register = supplied_register(digits=3)
        offer(register, (0, "999.9"), (0.5, 1))
        receive_readings(readings=[OfferedReading(register.meter.serial, at(0.5), 2)], actor=PORTAL, now=NOW)

        assert open_exception_count() == 1


@pytest.mark.django_db
class TestMakePartitionsAhead:
    def test_makes_this_month_and_three_more_once(self):
        now = datetime(2031, 11, 30, 23, tzinfo=UTC)

        made = make_partitions_ahead(now=now)

        assert [name[-8:] for name in made] == ["y2031m11", "y2031m12", "y2032m01", "y2032m02"]
        assert make_partitions_ahead(now=now) == []

    def test_is_what_the_daily_task_does(self, time_machine):
        time_machine.move_to(datetime(2032, 5, 1, tzinfo=UTC), tick=False)

        assert len(make_partitions()) == 4


@pytest.mark.django_db
class TestReadingsFor:
    @pytest.mark.parametrize("as_of", [None, NOW])
    def test_tells_each_read_once_where_windows_and_ends_overlap(self, as_of):
        register, other = supplied_register(), supplied_register()
        for each in (register, other):
            offer(each, *((hours, 10 + hours) for hours in range(8)))
        windows = [(4, 6), (0, 2), (1, 3), (1, 1), (6, 6)]

        found = readings_for(
            [Window(register.pk, at(low), at(high)) for low, high in windows],
            [Window(register.pk, at(2), at(7)), Window(register.pk, at(2), at(7)), Window(other.pk, at(1), at(5))],
            as_of=as_of,
        )

        assert [read.time for read in found[register.pk]] == [at(hours) for hours in range(8)]
        assert [read.time for read in found[other.pk]] == [at(1), at(5)]
