from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from meters.devices.models import DeviceGroup, DeviceHour, FleetHour, RollupMark, TouchedHour
from meters.devices.selectors.hours import complete_until
from meters.devices.services import hours
from meters.devices.services.hours import close_hours, roll_up_next
from meters.devices.services.retention import archive_days
from meters.devices.store import hours as store
from tests.meters.devices.helpers import EIGHT, HOUR, MINUTE, device, hours_of, powers, roll_up, send

pytestmark = pytest.mark.django_db

NINE, TEN, ELEVEN = (EIGHT + n * HOUR for n in (1, 2, 3))


class TestCloseHours:
    def test_starts_with_the_first_day_that_holds_samples(self):
        send(*powers(device(), (0, 10)))

        closed = close_hours(now=TEN + 5 * MINUTE)

        assert closed == 2
        assert list(TouchedHour.objects.values_list("low", "high", "device_ids")) == [
            (EIGHT, NINE, []),
            (NINE, TEN, []),
        ]
        assert RollupMark.objects.get().until == TEN

    def test_waits_for_what_is_under_way_at_an_hours_end(self):
        send(*powers(device(), (0, 10)))
        close_hours(now=NINE + 5 * MINUTE)

        assert close_hours(now=TEN + MINUTE) == 0
        assert close_hours(now=TEN + 2 * MINUTE) == 1

    def test_does_nothing_before_the_first_sample(self):
        assert close_hours(now=TEN) == 0
        assert RollupMark.objects.get().until is None

    def test_says_what_is_not_complete_yet(self):
        send(*powers(device(), (0, 10)))

        close_hours(now=TEN + 5 * MINUTE)
        closed = complete_until()
        roll_up_next(now=TEN + 5 * MINUTE)

        assert (closed, complete_until()) == (EIGHT, NINE)


class TestRollUpNext:
    def test_integrates_an_hour(self):
        plug = device()
        send(*powers(plug, (0, 1000), (10, 2000), (30, 0)))

        roll_up(NINE + 5 * MINUTE)

        assert hours_of(plug) == {EIGHT: (666.67, 40)}

    def test_carries_the_power_into_the_next_hours(self):
        plug = device(hold_seconds=3 * 3600)
        send(*powers(plug, (30, 100)))

        roll_up(ELEVEN + 2 * HOUR)

        assert hours_of(plug) == {
            EIGHT: (50, 30),
            NINE: (100, 60),
            TEN: (100, 60),
            ELEVEN: (50, 30),
        }

    def test_carries_a_power_as_long_as_anything_is_told(self):
        plug = device()
        send(*powers(plug, (50, 60)))
        send(*[(plug, EIGHT + minutes * MINUTE, {"temperature_c": 20.0}) for minutes in range(55, 200, 10)])

        roll_up(ELEVEN + MINUTE * 5)

        assert hours_of(plug) == {EIGHT: (10, 10), NINE: (60, 60), TEN: (60, 60)}

    def test_counts_increments_of_devices_without_a_power(self):
        plug = device()
        send(*[(plug, EIGHT + minutes * MINUTE, {"energy_wh": 7.0}) for minutes in (5, 15, 25, 35, 45, 55)])

        roll_up(NINE + 5 * MINUTE)

        assert hours_of(plug) == {EIGHT: (42, 60)}

    def test_leaves_out_hours_without_data(self):
        plug, quiet = device(), device("quiet")
        send(*powers(plug, (0, 10)), (quiet, EIGHT, {"temperature_c": 20.0}))

        roll_up(ELEVEN)

        assert list(hours_of(plug)) == [EIGHT]
        assert hours_of(quiet) == {}

    def test_starts_hours_on_the_clock_of_the_device(self):
        here, kolkata = device(hold_seconds=7200), device("kolkata", zone="Asia/Kolkata", hold_seconds=7200)
        send(*powers(here, (0, 60)), *powers(kolkata, (0, 60)))

        roll_up(NINE + 5 * MINUTE)
        early = hours_of(kolkata)
        roll_up(TEN + 5 * MINUTE)

        assert early == {EIGHT - 30 * MINUTE: (30, 30)}
        assert hours_of(kolkata) == {EIGHT - 30 * MINUTE: (30, 30), EIGHT + 30 * MINUTE: (60, 60)}
        assert hours_of(here) == {EIGHT: (60, 60), NINE: (60, 60)}

    def test_sums_the_fleet_by_group(self):
        group = DeviceGroup.objects.create(name="street")
        send(*powers(device("a", group=group), (45, 40)), *powers(device("b", group=group), (45, 60)))
        send(*powers(device("c"), (45, 100)))

        roll_up(NINE + 5 * MINUTE)

        assert list(
            FleetHour.objects.order_by("group_id").values_list("group", "energy_wh", "covered_seconds", "devices")
        ) == [(group.pk, 25, 1800, 2), (None, 25, 900, 1)]

    def test_reads_an_hour_in_slices(self, monkeypatch):
        monkeypatch.setattr("meters.devices.store.hours.SLICE_ROWS", 3)
        plugs = [device(f"plug{n}") for n in range(3)]
        send(*(row for plug in plugs for row in powers(plug, *((minute, 60) for minute in range(0, 60, 7)))))

        slices = [told.times.size for told in store.told(None, EIGHT, NINE)]
        roll_up(NINE + 5 * MINUTE)

        assert sum(slices) == 3 * 9
        assert max(slices) < 3 * 9
        assert [hours_of(plug) for plug in plugs] == [{EIGHT: (60, 60)}] * 3

    def test_adds_nothing_when_an_hour_is_rolled_up_again(self):
        plug = device()
        send(*powers(plug, (0, 1000), (10, 2000), (30, 0)))
        roll_up(NINE + 5 * MINUTE)
        before = list(DeviceHour.objects.values()), list(FleetHour.objects.values("time", "energy_wh", "devices"))

        TouchedHour.objects.create(low=EIGHT, high=NINE, device_ids=[], logged_at=NINE)
        roll_up(NINE + 5 * MINUTE)

        after = list(DeviceHour.objects.values()), list(FleetHour.objects.values("time", "energy_wh", "devices"))
        assert after == before

    def test_follows_an_hour_that_is_logged_by_hand_into_the_next(self):
        plug = device(hold_seconds=7200)
        send(*powers(plug, (0, 60)))
        roll_up(ELEVEN + 5 * MINUTE)
        plug.hold_seconds = 1800
        plug.save()

        TouchedHour.objects.create(low=EIGHT, high=NINE, device_ids=[], logged_at=NINE)
        roll_up(ELEVEN + 5 * MINUTE)

        assert hours_of(plug) == {EIGHT: (30, 30)}

    def test_leaves_it_to_the_process_whose_turn_it_is(self, monkeypatch):
        send(*powers(device(), (0, 10)))
        close_hours(now=TEN)
        monkeypatch.setattr(hours.store, "take_turn", lambda: False)

        assert roll_up_next(now=TEN) == 0


class TestLateData:
    @pytest.fixture
    def plug(self):
        plug = device()
        send(*powers(plug, (0, 60), (10, 60), (20, 60), (30, 60), (40, 60), (50, 60), (60, 60)))
        roll_up(ELEVEN + 5 * MINUTE)
        return plug

    def test_changes_its_hour_and_what_stands_after_it(self, plug):
        send(*powers(plug, (65, 600)), now=ELEVEN)

        roll_up(ELEVEN + 6 * MINUTE)

        assert hours_of(plug) == {EIGHT: (60, 60), NINE: (5 + 150, 20)}
        assert FleetHour.objects.get(time=NINE).energy_wh == pytest.approx(155)

    def test_changes_the_carry_of_the_next_hour(self, plug):
        send(*powers(plug, (59, 3600)), now=ELEVEN)
        send(*[(plug, EIGHT + 74 * MINUTE, {"temperature_c": 20.0})], now=ELEVEN)

        roll_up(ELEVEN + 6 * MINUTE)

        assert hours_of(plug) == {EIGHT: (119, 60), NINE: (29, 29)}

    def test_reaches_hours_of_which_nothing_was_known(self, plug):
        send(*powers(plug, (170, 60)), now=ELEVEN)

        roll_up(ELEVEN + 6 * MINUTE)

        assert hours_of(plug) == {EIGHT: (60, 60), NINE: (15, 15), TEN: (10, 10)}

    def test_goes_on_through_hours_for_as_long_as_what_stands_moves(self):
        plug = device()
        words = range(0, 235, 10)
        send(*[(plug, EIGHT + minutes * MINUTE, {"temperature_c": 20.0}) for minutes in words])
        roll_up(EIGHT + 6 * HOUR)

        send(*powers(plug, (0, 60)), now=ELEVEN)
        roll_up(EIGHT + 6 * HOUR)

        assert hours_of(plug) == {
            EIGHT: (60, 60),
            NINE: (60, 60),
            TEN: (60, 60),
            ELEVEN: (60, 60),
            ELEVEN + HOUR: (5, 5),
        }

    def test_before_everything_enters_as_well(self, plug):
        send(*powers(plug, (-1500, 60)), now=ELEVEN)

        roll_up(ELEVEN + 6 * MINUTE)

        assert hours_of(plug)[EIGHT - 25 * HOUR] == (15, 15)

    def test_leaves_the_group_of_that_time(self, plug):
        group = DeviceGroup.objects.create(name="street")
        plug.group = group
        plug.save()

        send(*powers(plug, (65, 600)), now=ELEVEN)
        roll_up(ELEVEN + 6 * MINUTE)

        assert list(FleetHour.objects.values_list("group", flat=True)) == [None, None]

    def test_costs_the_same_queries_however_many_devices_it_is_of(self, plug, monkeypatch):
        in_binary = []
        binary_cursor = store.binary_cursor
        monkeypatch.setattr(store, "binary_cursor", lambda of: in_binary.append(of) or binary_cursor(of))

        def queries(*devices):
            send(*(row for each in devices for row in powers(each, (65, 600), (130, 60))), now=ELEVEN)
            in_binary.clear()
            with CaptureQueriesContext(connection) as captured:
                roll_up_next(now=ELEVEN + 6 * MINUTE)
            return len(captured) + len(in_binary)

        one = queries(plug)

        assert queries(*(device(f"plug{n}") for n in range(5))) == one

    def test_leaves_hours_as_they_are_whose_samples_are_archived(self, plug, settings, tmp_path):
        settings.ARCHIVE_DIR = tmp_path
        now = EIGHT + 10 * 24 * HOUR
        roll_up(now)
        before = hours_of(plug)
        archive_days(actor=PORTAL, now=now, until=now.date(), wait_seconds=0)

        TouchedHour.objects.create(low=EIGHT, high=NINE, device_ids=[plug.pk], logged_at=now)
        TouchedHour.objects.create(low=EIGHT, high=NINE, device_ids=[], logged_at=now)
        roll_up(now)

        assert not plug.samples.exists()
        assert hours_of(plug) == before
        assert FleetHour.objects.get(time=EIGHT).energy_wh == 60

    def test_of_an_hour_that_waits_enters_with_it(self):
        plug = device()
        send(*powers(plug, (0, 60)))
        close_hours(now=NINE + 5 * MINUTE)

        send(*powers(plug, (15, 60)), now=NINE)
        roll_up(NINE + 5 * MINUTE)

        assert hours_of(plug) == {EIGHT: (30, 30)}
        assert not TouchedHour.objects.exists()

    def test_of_an_open_hour_on_another_clock_waits_for_its_end(self):
        plug = device(zone="Asia/Kolkata", hold_seconds=7200)
        send(*powers(plug, (0, 60)))
        roll_up(NINE + 5 * MINUTE)

        send(*powers(plug, (45, 120)), now=NINE)
        roll_up(NINE + 6 * MINUTE)
        early = hours_of(plug)
        roll_up(TEN + 6 * MINUTE)

        assert early == {EIGHT - 30 * MINUTE: (30, 30)}
        assert hours_of(plug)[EIGHT + 30 * MINUTE] == (15 + 90, 60)

    def test_is_worked_off_in_batches(self, plug, monkeypatch):
        monkeypatch.setattr(hours, "MOST_DEVICES", 1)
        for minutes in (65, 125):
            send(*powers(plug, (minutes, 600)), now=ELEVEN)

        assert [roll_up_next(now=ELEVEN) for _ in range(3)] == [1, 1, 0]
        assert list(hours_of(plug)) == [EIGHT, NINE, TEN]


class TestTheLog:
    def test_names_each_hour_once(self):
        plug, other = device(), device("other")
        send(*powers(plug, (0, 60)))
        roll_up(ELEVEN + 5 * MINUTE)

        send(*powers(plug, (70, 1), (80, 2), (130, 3)), *powers(other, (75, 4)), now=ELEVEN)

        assert list(TouchedHour.objects.values_list("low", "high", "device_ids")) == [
            (NINE + timedelta(minutes=10), NINE + timedelta(minutes=20), [plug.pk, other.pk]),
            (TEN + timedelta(minutes=10), TEN + timedelta(minutes=10), [plug.pk]),
        ]
