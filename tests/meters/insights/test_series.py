"""What is known of series before an instant, as grids of local half-hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR, local_day
from meters.batteries.models import BatteryQuarter
from meters.batteries.store.quarters import BATTERY_QUARTERS
from meters.devices.models import DeviceHour
from meters.devices.store.hours import DEVICE_HOURS
from meters.insights.clockwork import slots_of
from meters.insights.models import Subject
from meters.insights.selectors.series import half_hour_grids
from meters.insights.selectors.subjects import NoSuchSeries, find_series, series_page
from meters.models import ChainEvent, Register, ServicePoint
from meters.series.partitions import ensure_partitions
from meters.services.archive_runs import archive_and_prepare
from tests.factories import (
    BatteryFactory,
    BindingFactory,
    CustomerAccountFactory,
    DeviceFactory,
    InstallationFactory,
    MeterFactory,
    PremisesFactory,
    RegionFactory,
    RegisterFactory,
    ServicePointFactory,
    since,
    supplied_register,
)
from tests.meters.insights.half_hourly import count, tell

SGT, BERLIN = ZoneInfo("Asia/Singapore"), ZoneInfo("Europe/Berlin")
# A local midnight in Singapore.
START = datetime(2025, 2, 28, 16, tzinfo=UTC)
ORIGIN = START + timedelta(days=3)

pytestmark = pytest.mark.django_db


def place_of(register: Register) -> ServicePoint:
    return ServicePoint.objects.get(installations__meter=register.meter)


def grid_of(register, *, until=ORIGIN, days=3):
    series = find_series(kind=Subject.SERVICE_POINT, subject=place_of(register).code, at=until)
    return half_hour_grids([series], until=until, days=days)[0]


class TestServicePoints:
    def test_a_dial_tells_the_half_hours_between_its_reads_on_the_wall(self):
        register = supplied_register()
        energies = np.arange(144) / 100
        count(register, START, energies)

        grid = grid_of(register)

        np.testing.assert_allclose(grid.values, energies)
        assert grid.first == slots_of(np.array([int(START.timestamp())]), SGT)[0]
        assert grid.first % 48 == 0

    def test_nothing_that_ends_after_the_origin_is_looked_at(self):
        register = supplied_register()
        count(register, START, [0.2] * 144)
        before = grid_of(register)
        tell(register, ORIGIN + HALF_HOUR, np.linspace(900, 990, 96))

        after = grid_of(register)

        assert after.values.tobytes() == before.values.tobytes()
        assert after.after == slots_of(np.array([int(ORIGIN.timestamp())]), SGT)[0]

    def test_what_is_missing_or_estimated_is_unknown_and_not_spread(self):
        register = supplied_register()
        count(register, START, [0.2] * 144, missing=(10, 11), estimated=(50,))

        values = grid_of(register).values

        assert np.flatnonzero(np.isnan(values)).tolist() == [9, 10, 11, 49, 50]

    def test_a_dial_that_turns_over_goes_on_counting(self):
        register = supplied_register(digits=5)
        count(register, START, [0.2] * 20, first=99_999.0 - 0.2 * 10 + 1)
        shown = np.round(99_998.0 + 0.4 * np.arange(144), 3) % 100_000
        other = supplied_register(digits=5)
        tell(other, START, shown)

        np.testing.assert_allclose(grid_of(other).values[:143], 0.4, atol=1e-6)

    def test_a_dial_that_was_set_back_tells_nothing_there(self):
        register = supplied_register()
        tell(register, START, [500.0, 500.2, 20.0, 20.2])

        values = grid_of(register).values

        np.testing.assert_allclose(values[[0, 2]], 0.2)
        assert np.isnan(values[1])

    def test_an_exchanged_meter_is_never_subtracted_from_the_next(self):
        place = ServicePointFactory()
        BindingFactory(service_point=place)
        change = START + timedelta(hours=14, minutes=17)
        old, new = RegisterFactory(), RegisterFactory()
        InstallationFactory(meter=old.meter, service_point=place, valid=since(START, change))
        InstallationFactory(meter=new.meter, service_point=place, valid=since(change))
        count(old, START, [0.5] * 28, first=45_000)
        count(new, START + timedelta(hours=14, minutes=30), [0.25] * 115, first=12)

        values = grid_of(new).values

        np.testing.assert_allclose(values[:28], 0.5)
        assert np.isnan(values[28])
        np.testing.assert_allclose(values[29:], 0.25)

    def test_half_hours_told_by_themselves_stand_at_their_ends_and_carry_the_multiplier(self):
        register = supplied_register(kind=Register.Kind.INTERVAL, multiplier=20)
        tell(register, START, [9.0, *np.arange(1, 145) / 100])

        np.testing.assert_allclose(grid_of(register).values, np.arange(1, 145) / 5)

    def test_a_multiplier_counts_from_its_instant_on(self):
        register = supplied_register()
        place = place_of(register)
        for at, factor in ((START, 1), (START + timedelta(days=1), 10)):
            ChainEvent.objects.create(
                service_point=place, register=register, kind="multiplier_changed", at=at, multiplier=factor
            )
        count(register, START, [0.2] * 144)

        values = grid_of(register).values

        np.testing.assert_allclose(values[:48], 0.2)
        np.testing.assert_allclose(values[48:], 2.0)

    def test_two_dials_of_a_meter_add_up_and_are_known_together(self):
        register = supplied_register(code="1.8.1")
        other = RegisterFactory(meter=register.meter, code="1.8.2")
        count(register, START, [0.2] * 144)
        count(other, START, [0.1] * 144, missing=(5,))

        values = grid_of(register).values

        assert np.flatnonzero(np.isnan(values)).tolist() == [4, 5]
        np.testing.assert_allclose(values[6:], 0.3)

    def test_a_new_customer_starts_without_the_habits_of_the_one_before(self):
        register = supplied_register()
        binding = place_of(register).bindings.get()
        moved = START + timedelta(days=2)
        binding.valid = since(START - timedelta(days=90), moved)
        binding.save()
        BindingFactory(service_point=place_of(register), valid=since(moved))
        count(register, START, [0.2] * 144)

        values = grid_of(register).values

        assert np.isnan(values[:96]).all()
        np.testing.assert_allclose(values[96:], 0.2)

    def test_archived_months_tell_the_same(self, settings, tmp_path):
        settings.ARCHIVE_DIR = tmp_path / "archive"
        register = supplied_register()
        count(register, START, np.arange(144) / 100, missing=(7,), estimated=(30,))
        before = grid_of(register)

        archive_and_prepare(now=ORIGIN + timedelta(days=200), until=date(2025, 4, 1), actor=PORTAL)

        np.testing.assert_array_equal(grid_of(register).values, before.values)

    def test_many_places_cost_as_many_queries_as_one(self):
        registers = [supplied_register() for _ in range(4)]
        for register in registers:
            count(register, START, [0.2] * 144)
        names = [place_of(register).code for register in registers]
        found = [find_series(kind=Subject.SERVICE_POINT, subject=name, at=ORIGIN) for name in names]
        with CaptureQueriesContext(connection) as one:
            half_hour_grids(found[:1], until=ORIGIN, days=3)

        with CaptureQueriesContext(connection) as all_of_them:
            half_hour_grids(found, until=ORIGIN, days=3)

        assert len(all_of_them) == len(one)


class TestClockChanges:
    @pytest.mark.parametrize(("day", "missing"), [(date(2025, 3, 30), [4, 5]), (date(2025, 10, 26), [])])
    def test_a_day_is_48_slots_of_which_spring_misses_two_and_autumn_repeats_two(self, day, missing):
        register = supplied_register()
        premises = PremisesFactory(zone="Europe/Berlin")
        ServicePoint.objects.update(premises=premises)
        whole = local_day(day, BERLIN)
        energies = np.full(whole.half_hour_count, 0.5)
        energies[4:6] = 0.7 if not missing else 0.5
        count(register, whole.start, energies)

        values = grid_of(register, until=whole.end, days=1).values

        assert len(values) == 48
        assert np.flatnonzero(np.isnan(values)).tolist() == missing
        if not missing:
            np.testing.assert_allclose(values[4:6], 0.6)


class TestSums:
    def test_an_account_adds_up_its_places_where_all_are_known(self):
        account = CustomerAccountFactory()
        first, second = supplied_register(account=account), supplied_register(account=account)
        count(first, START, [0.2] * 144)
        count(second, START, [0.4] * 144, missing=(3,))
        series = find_series(kind=Subject.ACCOUNT, subject=account.number, at=ORIGIN)

        (grid,) = half_hour_grids([series], until=ORIGIN, days=3)

        assert np.flatnonzero(np.isnan(grid.values)).tolist() == [2, 3]
        np.testing.assert_allclose(grid.values[4:], 0.6)

    def test_everything_is_scaled_up_where_little_of_it_is_missing(self):
        for number in range(12):
            count(supplied_register(), START, [0.2] * 144, missing=(5,) if number == 0 else ())

        (grid,) = half_hour_grids([find_series(kind=Subject.PORTAL, subject="", at=ORIGIN)], until=ORIGIN, days=3)

        np.testing.assert_allclose(grid.values, 12 * 0.2)

    def test_a_region_adds_up_the_places_of_its_meters(self):
        region = RegionFactory()
        inside, outside = supplied_register(meter=MeterFactory(region=region)), supplied_register()
        count(inside, START, [0.2] * 144)
        count(outside, START, [0.4] * 144)
        series = find_series(kind=Subject.REGION, subject=region.name, at=ORIGIN)

        (grid,) = half_hour_grids([series], until=ORIGIN, days=3)

        np.testing.assert_allclose(grid.values, 0.2)


class TestDevices:
    def test_an_hour_is_two_halves_and_scaled_up_where_a_little_is_not_covered(self):
        device = DeviceFactory()
        ensure_partitions(DEVICE_HOURS, [START], floor=START, ceiling=START)
        for number, covered in enumerate((3600, 3420, 1800)):
            DeviceHour.objects.create(
                device=device, time=START + timedelta(hours=number), energy_wh=covered / 36, covered_seconds=covered
            )
        series = find_series(kind=Subject.DEVICE, subject=device.device_id, at=ORIGIN)

        (grid,) = half_hour_grids([series], until=ORIGIN, days=3)

        np.testing.assert_allclose(grid.values[:4], 0.05)
        assert np.isnan(grid.values[4:]).all()


class TestBatteries:
    def test_a_half_hour_is_the_mean_of_its_quarters_where_both_are_known(self):
        battery = BatteryFactory()
        ensure_partitions(BATTERY_QUARTERS, [START, ORIGIN], floor=START, ceiling=ORIGIN)
        for number, (first, last) in enumerate(((50, 54), (54, 58), (58, None), (60, 62))):
            BatteryQuarter.objects.create(
                battery=battery,
                time=START + number * timedelta(minutes=15),
                covered_seconds=900,
                ac_covered_seconds=0,
                soc_first_percent=first,
                soc_last_percent=last,
                soc_outside_seconds=0,
                voltage_outside_seconds=0,
                temp_outside_seconds=0,
            )
        series = find_series(kind=Subject.BATTERY, subject=battery.battery_id, at=ORIGIN)

        (grid,) = half_hour_grids([series], until=ORIGIN, days=3)

        assert grid.values[0] == 54
        assert np.isnan(grid.values[1:]).all()


class TestSubjects:
    def test_what_does_not_exist_is_refused(self):
        with pytest.raises(NoSuchSeries):
            find_series(kind=Subject.DEVICE, subject="nobody", at=ORIGIN)

    def test_pages_follow_each_other_on_one_clock(self):
        names = sorted(place_of(supplied_register()).code for _ in range(3))
        ServicePointFactory(premises=PremisesFactory(zone="Europe/Berlin"))

        first = series_page(kind=Subject.SERVICE_POINT, zone="Asia/Singapore", at=ORIGIN, after="", limit=2)
        rest = series_page(
            kind=Subject.SERVICE_POINT, zone="Asia/Singapore", at=ORIGIN, after=first[-1].subject, limit=2
        )

        assert [each.subject for each in first + rest] == names

    def test_only_accounts_of_several_places_are_sums_of_their_own(self):
        several = CustomerAccountFactory()
        supplied_register(account=several)
        supplied_register(account=several)
        supplied_register()

        found = series_page(kind=Subject.ACCOUNT, zone="Asia/Singapore", at=ORIGIN, after="", limit=9)

        assert [each.subject for each in found] == [several.number]
