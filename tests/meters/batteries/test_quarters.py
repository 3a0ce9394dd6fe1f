"""No reading is lost, whenever it comes and whoever dies: what is rolled up is what all readings at once come to."""

import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meters.batteries import tasks
from meters.batteries.models import Battery, BatteryQuarter, BmsReading, QuarterMark, TouchedQuarters
from meters.batteries.quantities import System
from meters.batteries.services import quarters
from meters.batteries.services.quarters import GRACE, close_quarters, roll_up_next
from meters.batteries.store import quarters as store
from tests.factories import BatteryFactory
from tests.meters.batteries.telling import MINUTE, NOON, QUARTER, power, quarters_of, roll_up, tell
from tests.meters.devices.test_hours_races import thread, until_somebody_waits
from tests.meters.series.strategies import rolled_back

HOUR = 4 * QUARTER
LATER = NOON + 6 * HOUR


def energies(battery: Battery) -> dict[object, tuple[float | None, float]]:
    return {
        at: (None if row["discharged_kwh"] is None else round(row["discharged_kwh"], 3), row["covered_seconds"])
        for at, row in quarters_of(battery).items()
    }


@pytest.mark.django_db
class TestRollUp:
    @pytest.fixture
    def battery(self) -> Battery:
        return BatteryFactory.create()

    def test_rolls_up_what_closed_and_not_yet_the_rest(self, battery: Battery) -> None:
        tell(battery, power(*range(20), kw=60.0))

        roll_up(NOON + QUARTER + GRACE)

        assert energies(battery) == {NOON: (15.0, 900)}
        assert QuarterMark.objects.get().until == NOON + QUARTER
        assert not TouchedQuarters.objects.exists()

    def test_closes_nothing_where_nothing_was_told(self) -> None:
        roll_up(NOON)

        assert QuarterMark.objects.get().until is None

    def test_brings_both_systems_together(self, battery: Battery) -> None:
        tell(battery, power(*range(15), kw=60.0))
        tell(battery, [(NOON + n * MINUTE, {"apparent_power_kw": 57.0}) for n in range(15)], system=System.PCS)

        roll_up(LATER)

        row = quarters_of(battery)[NOON]
        assert (row["discharged_kwh"], row["ac_discharged_kwh"]) == pytest.approx((15.0, 14.25))

    def test_takes_in_what_comes_late_and_the_quarter_that_it_reaches_into(self, battery: Battery) -> None:
        tell(battery, power(0, kw=60.0), now=NOON)
        roll_up(LATER)
        tell(battery, power(14.5, kw=60.0), now=LATER)

        roll_up(LATER)

        assert energies(battery) == {NOON: (1.5, 90), NOON + QUARTER: (0.5, 30)}

    def test_keeps_to_the_windows_of_each_battery(self, battery: Battery) -> None:
        wide = BatteryFactory.create(soc_high_percent=100.0)
        for each in (battery, wide):
            tell(each, [(NOON, {"soc_percent": 97.0})])

        roll_up(LATER)

        assert [quarters_of(each)[NOON]["soc_outside_seconds"] for each in (battery, wide)] == [60, 0]

    def test_removes_a_quarter_of_which_nothing_is_known_any_more(self, battery: Battery) -> None:
        tell(battery, power(0))
        roll_up(LATER)
        BmsReading.objects.all().delete()
        TouchedQuarters.objects.create(low=NOON, high=NOON, battery_ids=[battery.pk], logged_at=LATER)

        roll_up(LATER)

        assert not quarters_of(battery)

    def test_takes_a_long_import_in_parts(self, battery: Battery, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(quarters, "MOST_QUARTERS", 50)
        tell(battery, power(0))
        roll_up(LATER)
        rows = [row for day in range(3) for row in power(0, start=NOON - timedelta(days=day))]
        tell(battery, rows, now=LATER, is_live=False)

        rounds = 0
        while roll_up_next():
            rounds += 1

        assert list(energies(battery)) == [NOON - timedelta(days=day) for day in (2, 1, 0)]
        assert rounds == 2
        assert not TouchedQuarters.objects.exists()

    def test_lets_no_long_past_go_before_the_present(self, battery: Battery, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(quarters, "MOST_QUARTERS", 10)
        tell(battery, power(0, start=NOON - timedelta(days=300)), now=NOON, is_live=False)
        close_quarters(now=NOON)
        tell(battery, power(0, kw=60.0), now=NOON)
        close_quarters(now=NOON + QUARTER + GRACE)

        roll_up_next()

        assert energies(battery) == {NOON: (1.0, 60)}

    def test_takes_many_days_of_one_battery_at_once(self, battery: Battery) -> None:
        tell(battery, power(0))
        roll_up(LATER)
        rows = [row for day in range(1, 20) for row in power(0, start=NOON - timedelta(days=day))]
        tell(battery, rows, now=LATER, is_live=False)

        roll_up_next()

        assert len(energies(battery)) == 20
        assert not TouchedQuarters.objects.exists()

    @pytest.mark.parametrize("count", [1, 6])
    def test_costs_as_many_queries_for_many_as_for_one(self, count: int, django_assert_num_queries) -> None:
        for each in BatteryFactory.create_batch(count):
            tell(each, power(0))
        close_quarters(now=NOON + QUARTER + GRACE)
        TouchedQuarters.objects.update(low=NOON)

        with django_assert_num_queries(15):
            roll_up_next()

        assert BatteryQuarter.objects.count() == count

    def test_is_a_task(self, battery: Battery) -> None:
        tell(battery, power(0))

        assert tasks.roll_up_quarters() > 0
        assert energies(battery) == {NOON: (pytest.approx(80 / 60, abs=1e-3), 60)}


sends = st.tuples(
    st.sampled_from(["one", "two"]),
    st.sampled_from(list(System)),
    st.integers(0, 4 * 100),
    st.none() | st.integers(-200, 200),
    st.none() | st.integers(0, 100),
).map(lambda told: ("send", *told))
closes = st.integers(17, 110).map(lambda minute: ("close", minute))
steps = st.lists(st.one_of(sends, sends, sends, closes, st.just(("roll",))), max_size=25)


@pytest.mark.django_db
class TestInAnyOrder:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps)
    def test_quarters_come_to_what_all_readings_at_once_do(self, steps: list[tuple]) -> None:
        def play() -> None:
            batteries = {name: BatteryFactory.create(battery_id=name) for name in ("one", "two")}
            for step in steps:
                match step:
                    case ("send", name, system, quarter, current, soc):
                        self._send(batteries[name], system, NOON + quarter * MINUTE / 4, current, soc)
                    case ("close", minute):
                        close_quarters(now=NOON + minute * MINUTE)
                    case _:
                        roll_up_next()
            roll_up(LATER)
            rolled = {name: quarters_of(battery) for name, battery in batteries.items()}
            BatteryQuarter.objects.all().delete()
            TouchedQuarters.objects.create(low=NOON, high=LATER, battery_ids=[], logged_at=LATER)
            roll_up(LATER)
            assert rolled == {name: quarters_of(battery) for name, battery in batteries.items()}

        rolled_back(play)

    def _send(self, battery: Battery, system: System, at, current: float | None, soc: float | None) -> None:
        told = {"voltage_v": 800.0, "current_a": current, "soc_percent": soc}
        if system is System.PCS:
            told = {"apparent_power_kw": current, "temp_igbt_c": soc}
        told = {name: value for name, value in told.items() if value is not None}
        if told:
            tell(battery, [(at, told)], system=system, now=LATER)


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    @pytest.fixture
    def battery(self) -> Battery:
        QuarterMark.objects.get_or_create(id=1)
        battery = BatteryFactory.create()
        tell(battery, power(0, kw=60.0))
        return battery

    def test_the_mark_waits_for_a_commit_that_saw_the_old_one(self, battery: Battery) -> None:
        written, may_commit = threading.Event(), threading.Event()

        def write() -> None:
            with transaction.atomic():
                tell(battery, power(5, kw=60.0))
                written.set()
                may_commit.wait(60)

        with thread(write) as wrote:
            written.wait(60)
            with thread(lambda: close_quarters(now=NOON + 20 * MINUTE)) as closed:
                until_somebody_waits()
                may_commit.set()
                closed()
            wrote()
        roll_up(NOON + 20 * MINUTE)

        assert energies(battery) == {NOON: (2.0, 120)}

    def test_a_commit_that_waited_for_the_mark_sees_the_new_one(self, battery: Battery) -> None:
        with ExitStack() as stack:
            with transaction.atomic():
                close_quarters(now=NOON + 20 * MINUTE)
                wrote = stack.enter_context(thread(lambda: tell(battery, power(5))))
                until_somebody_waits()
            wrote()

        assert TouchedQuarters.objects.filter(battery_ids=[battery.pk], low=NOON + 5 * MINUTE).count() == 1

    def test_what_comes_while_a_quarter_is_rolled_up_enters_afterwards(self, battery: Battery, monkeypatch) -> None:
        close_quarters(now=NOON + 20 * MINUTE)
        put_quarters = store.put_quarters

        def put_late(rows) -> None:
            monkeypatch.setattr(store, "put_quarters", put_quarters)
            with thread(lambda: tell(battery, power(5, kw=60.0))) as told:
                told()
            put_quarters(rows)

        TouchedQuarters.objects.update(low=NOON)
        monkeypatch.setattr(store, "put_quarters", put_late)
        roll_up_next()
        at_first = energies(battery)
        roll_up(NOON + 20 * MINUTE)

        assert at_first == {NOON: (1.0, 60)}
        assert energies(battery) == {NOON: (2.0, 120)}

    def test_a_roller_that_dies_leaves_everything_to_the_next(self, battery: Battery, monkeypatch) -> None:
        close_quarters(now=NOON + 20 * MINUTE)

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(store, "put_quarters", die)
            with pytest.raises(KeyboardInterrupt):
                roll_up_next()
        roll_up(NOON + 20 * MINUTE)

        assert energies(battery) == {NOON: (1.0, 60)}

    def test_a_second_roller_does_nothing_meanwhile(self, battery: Battery) -> None:
        close_quarters(now=NOON + 20 * MINUTE)
        worked_off = []

        def roll() -> None:
            worked_off.append(roll_up_next())

        with transaction.atomic():
            roll_up_next()
            with thread(roll) as rolled:
                rolled()

        assert worked_off == [0]
        assert connection.in_atomic_block is False
