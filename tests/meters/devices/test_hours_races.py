"""No sample is lost, whenever it comes and whoever dies: what is rolled up is what all samples at once come to."""

import random
import threading
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meters.devices.models import Device, DeviceHour, FleetHour, TouchedHour
from meters.devices.selectors.hours import complete_until
from meters.devices.services.directory import directory
from meters.devices.services.hours import close_hours, roll_up_next
from meters.devices.store import hours as store
from meters.devices.store.samples import DEVICE_SAMPLES
from meters.series.partitions import ensure_partitions
from tests.meters.devices.helpers import EIGHT, HOUR, MINUTE, device, hours_of, powers, roll_up, send
from tests.meters.devices.slow_hours import slow_hours
from tests.meters.series.strategies import rolled_back

NAMES = ("plug", "steady", "kolkata")
NINE = EIGHT + HOUR
END = EIGHT + 6 * HOUR
LONG, KOLKATA = timedelta(minutes=100), timedelta(minutes=30)

sends = st.tuples(
    st.sampled_from(NAMES),
    st.integers(0, 4 * 340),
    st.none() | st.integers(0, 2000),
    st.none() | st.integers(0, 9),
).map(lambda told: ("send", *told))
closes = st.integers(62, 350).map(lambda minute: ("close", minute))
steps = st.lists(st.one_of(sends, sends, sends, closes, st.just(("roll",))), max_size=25)


def devices():
    device(), device("steady", hold_seconds=LONG.seconds), device("kolkata", zone="Asia/Kolkata")


def agree(until):
    """Check hours and sums against what all samples at once come to."""
    wanted = {
        "plug": slow_hours(Device.objects.get(device_id="plug"), until=until),
        "steady": slow_hours(Device.objects.get(device_id="steady"), until=until, hold=LONG),
        "kolkata": slow_hours(Device.objects.get(device_id="kolkata"), until=until, phase=KOLKATA),
    }
    found = {name: hours_of(Device.objects.get(device_id=name)) for name in wanted}
    # Both are rounded to the hundredth; what lies between two may be rounded either way.
    assert found == {
        name: {start: pytest.approx(told, abs=0.011) for start, told in hours.items()} for name, hours in wanted.items()
    }
    fleet = dict(FleetHour.objects.values_list("time", "energy_wh"))
    sums = {}
    for time, energy in DeviceHour.objects.values_list("time", "energy_wh"):
        sums[time] = sums.get(time, 0) + energy
    assert fleet == pytest.approx(sums)


@pytest.mark.django_db
class TestInAnyOrder:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps)
    def test_hours_come_to_what_all_samples_at_once_do(self, steps):
        def play():
            devices()
            ensure_partitions(DEVICE_SAMPLES, [EIGHT], floor=EIGHT, ceiling=EIGHT)
            for step in steps:
                match step:
                    case ("send", name, quarter, power, wh):
                        told = {"power_w": power, "energy_wh": wh, "temperature_c": 20.0}
                        self._send(name, EIGHT + quarter * MINUTE / 4, told)
                    case ("close", minute):
                        close_hours(now=EIGHT + minute * MINUTE)
                    case _:
                        roll_up_next(now=END)
            roll_up(END)
            agree(until=complete_until() or EIGHT)
            assert not TouchedHour.objects.exists()

        rolled_back(play)

    def _send(self, name, time, told):
        of = Device.objects.get(device_id=name)
        if not of.samples.filter(time=time).exists():
            send((of, time, told), now=END)


@contextmanager
def thread(work):
    """Run work on a connection of its own; yield how to wait for its end, which raises what it raised."""
    failed = []

    def run():
        try:
            work()
        except Exception as error:  # noqa: BLE001 raised again where it is waited for
            failed.append(error)
        finally:
            connection.close()

    running = threading.Thread(target=run)

    def wait():
        running.join(60)
        assert not running.is_alive()
        if failed:
            raise failed[0]

    running.start()
    try:
        yield wait
    finally:
        running.join(60)


def until_somebody_waits():
    """Return once a session waits for an advisory lock."""
    with connection.cursor() as cursor:
        for _ in range(3_000):
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
            )
            if cursor.fetchone()[0]:
                return
            threading.Event().wait(0.01)
    raise AssertionError("Nobody waits.")


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    @pytest.fixture(autouse=True)
    def _of_this_database_alone(self):
        directory.forget()
        yield
        directory.forget()

    @pytest.fixture
    def plug(self):
        plug = device()
        send(*powers(plug, (0, 60)))
        return plug

    def test_the_mark_waits_for_a_commit_that_saw_the_old_one(self, plug):
        written, may_commit = threading.Event(), threading.Event()

        def write():
            with transaction.atomic():
                send(*powers(plug, (15, 60)))
                written.set()
                may_commit.wait(60)

        with thread(write) as wrote:
            written.wait(60)
            with thread(lambda: close_hours(now=NINE + 5 * MINUTE)) as closed:
                until_somebody_waits()
                may_commit.set()
                closed()
            wrote()
        roll_up(NINE + 5 * MINUTE)

        assert hours_of(plug) == {EIGHT: (30, 30)}
        assert not TouchedHour.objects.exists()

    def test_a_commit_that_waited_for_the_mark_sees_the_new_one(self, plug):
        with ExitStack() as stack:
            with transaction.atomic():
                close_hours(now=NINE + 5 * MINUTE)
                wrote = stack.enter_context(thread(lambda: send(*powers(plug, (15, 60)))))
                until_somebody_waits()
            wrote()

        assert TouchedHour.objects.filter(device_ids=[plug.pk]).count() == 1

    def test_what_comes_while_an_hour_is_rolled_up_enters_afterwards(self, plug, monkeypatch):
        close_hours(now=NINE + 5 * MINUTE)
        put_hours = store.put_hours

        def put_late(*args):
            monkeypatch.setattr(store, "put_hours", put_hours)
            with thread(lambda: send(*powers(plug, (15, 60)))) as sent:
                sent()
            put_hours(*args)

        monkeypatch.setattr(store, "put_hours", put_late)
        roll_up_next(now=NINE + 5 * MINUTE)
        at_first = hours_of(plug)
        roll_up(NINE + 5 * MINUTE)

        assert at_first == {EIGHT: (15, 15)}
        assert hours_of(plug) == {EIGHT: (30, 30)}

    @pytest.mark.parametrize("late", [False, True])
    def test_a_roller_that_dies_leaves_everything_to_the_next(self, plug, monkeypatch, late):
        close_hours(now=NINE + 5 * MINUTE)
        if late:
            roll_up(NINE + 5 * MINUTE)
        send(*powers(plug, (15, 60)))
        before = hours_of(plug)

        def die(hours):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        with monkeypatch.context() as patch:
            patch.setattr(store, "count_fleet", die)
            with thread(lambda: roll_up_next(now=NINE + 5 * MINUTE)) as rolled, pytest.raises(OperationalError):
                rolled()
        after = hours_of(plug)
        roll_up(NINE + 5 * MINUTE)

        assert after == before
        assert hours_of(plug) == {EIGHT: (30, 30)}
        assert FleetHour.objects.get().energy_wh == 30

    def test_only_one_rolls_up(self, plug, monkeypatch):
        close_hours(now=NINE + 5 * MINUTE)
        count_fleet, done = store.count_fleet, []

        def count_beside_another(hours):
            with thread(lambda: done.append(roll_up_next(now=NINE + 5 * MINUTE))) as other:
                other()
            count_fleet(hours)

        monkeypatch.setattr(store, "count_fleet", count_beside_another)
        done.append(roll_up_next(now=NINE + 5 * MINUTE))

        assert done == [0, 1]

    def test_a_storm_of_late_samples_loses_none(self):
        devices()
        send(*powers(Device.objects.get(device_id="plug"), (0, 60)))
        written = threading.Event()

        def write(seed):
            chance = random.Random(seed)
            seconds = iter(chance.sample(range(seed, 340 * 60, 2), 150))
            for batch in zip(*[seconds] * 6, strict=True):
                rows = [
                    (Device(device_id=chance.choice(NAMES)), EIGHT + timedelta(seconds=second), chance.randint(0, 2000))
                    for second in batch
                ]
                send(*((of, time, {"power_w": power}) for of, time, power in rows), now=END)

        def roll():
            minute = 60
            while not written.is_set():
                minute = min(minute + 20, 350)
                close_hours(now=EIGHT + minute * MINUTE)
                roll_up_next(now=END)

        with thread(roll) as rolled:
            try:
                with thread(lambda: write(1)) as one, thread(lambda: write(2)) as other:
                    one()
                    other()
            finally:
                written.set()
            rolled()
        roll_up(END)

        agree(until=EIGHT + 5 * HOUR)
