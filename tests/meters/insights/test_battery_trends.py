from datetime import UTC, date, datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from meters.batteries.models import QuarterMark
from meters.batteries.services.quarters import close_quarters, roll_up_next
from meters.insights.ageing import Quantity
from meters.insights.models import BatteryTrend
from meters.insights.selectors.battery_days import measured_days
from meters.insights.services.trends import measure_battery, measure_next
from meters.insights.tasks.trends import measure_batteries
from meters.models import Alarm, AlarmRule
from tests.factories import BatteryFactory
from tests.meters.batteries.helpers import put

FIRST = datetime(2025, 3, 1, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def told_day(day: int, *, spread: float = 0.01, mohm: float = 100.0, soh: float = 97.0, minutes: int = 40):
    """A day on which it rests and then steps from 0 to 50 A and back."""
    start = FIRST + day * DAY + timedelta(hours=9)
    for minute in range(minutes):
        current = 50.0 if 20 <= minute < 30 else 0.0
        yield (
            start + minute * MINUTE,
            {
                "soc_percent": 42.0,
                "soh_percent": soh,
                "cell_avg_temp_c": 23.0,
                "current_a": current,
                "voltage_v": 850.0 - mohm * current / 1_000,
                "cell_avg_voltage_v": 3.3,
                "cell_min_voltage_v": 3.3 - 0.6 * spread,
                "cell_max_voltage_v": 3.3 + 0.4 * spread,
            },
        )


def tell(battery, days, *, now, **values):
    """Have a battery tell of days; values may be functions of the day."""
    for day in days:
        of_day = {name: value(day) if callable(value) else value for name, value in values.items()}
        put(battery, *told_day(day, **of_day), is_live=False, now=now)
    roll_up(now)


def roll_up(now):
    close_quarters(now=now)
    while roll_up_next():
        pass


def after(days: int) -> datetime:
    return FIRST + days * DAY + timedelta(hours=2)


def newest(battery, quantity) -> BatteryTrend:
    return BatteryTrend.objects.filter(battery=battery, quantity=quantity).latest("day")


@pytest.fixture
def battery(db):
    QuarterMark.objects.get_or_create(pk=1)
    return BatteryFactory(name="Cellar")


@pytest.fixture
def aged(battery):
    """Sixteen days on which the cells drifted apart by 1.5 mV a day, nothing else having changed."""
    tell(battery, range(16), now=after(16), spread=lambda day: 0.01 + 0.0015 * day)
    measure_battery(battery_pk=battery.pk, now=after(16))
    return battery


class TestMeasuring:
    def test_puts_a_row_a_quantity_and_closed_day(self, battery):
        tell(battery, range(3), now=after(3))

        assert measure_battery(battery_pk=battery.pk, now=after(2)) == 2

        rows = {row.quantity: row for row in BatteryTrend.objects.filter(day=date(2025, 3, 2))}
        assert {name: round(row.value, 3) for name, row in rows.items()} == {
            Quantity.WEAK_CELL: 0.006,
            Quantity.SPREAD: 0.01,
            Quantity.RESISTANCE: 100.0,
            Quantity.SOH: 97.0,
        }
        assert rows[Quantity.RESISTANCE].detail == {"40/20/90": [pytest.approx(100.0, rel=1e-3), 2]}
        assert BatteryTrend.objects.latest("day").day == date(2025, 3, 2)

    def test_changes_nothing_when_done_again(self, aged):
        before = list(BatteryTrend.objects.values())

        assert measure_battery(battery_pk=aged.pk, now=after(16)) == 0
        assert list(BatteryTrend.objects.values()) == before

    def test_measures_a_day_again_of_which_more_became_known(self, battery):
        tell(battery, [0], now=after(1), minutes=15)
        measure_battery(battery_pk=battery.pk, now=after(1))
        assert newest(battery, Quantity.RESISTANCE).value is None

        tell(battery, [0], now=after(2), minutes=40)

        assert measure_battery(battery_pk=battery.pk, now=after(2)) == 1
        assert newest(battery, Quantity.RESISTANCE).value == pytest.approx(100.0, rel=1e-3)

    def test_goes_on_over_several_transactions(self, battery, monkeypatch):
        monkeypatch.setattr("meters.insights.services.trends.MOST_DAYS", 2)
        tell(battery, range(5), now=after(5))

        assert measure_next(battery_pk=battery.pk, now=after(5)) == 2
        assert measure_battery(battery_pk=battery.pk, now=after(5)) == 3

    def test_measures_no_retired_battery(self, battery):
        tell(battery, [0], now=after(1))
        battery.status, battery.retired_at = "retired", after(1)
        battery.save()

        assert measure_battery(battery_pk=battery.pk, now=after(1)) == 0

    def test_reads_no_more_than_a_year_however_long_the_history(self, battery):
        start = date(2023, 1, 1)
        BatteryTrend.objects.bulk_create(
            BatteryTrend(
                battery=battery,
                quantity=Quantity.RESISTANCE,
                day=start + timedelta(days=number),
                samples=1,
                detail={"40/20/90": [100.0 + number, 1]},
                made_at=after(0),
            )
            for number in range(500)
        )

        days = measured_days(battery.pk, until=start + timedelta(days=499))[Quantity.RESISTANCE]

        numbers = np.array(sorted(days)) - start.toordinal()
        assert numbers.tolist() == [*range(14), *range(135, 500)]


class TestJudging:
    def test_tells_when_cells_will_be_too_far_apart(self, aged):
        row = newest(aged, Quantity.SPREAD)

        assert row.slope_a_day == pytest.approx(0.0015, rel=0.02)
        assert row.days_to_threshold == pytest.approx((0.05 - 0.0325) / 0.0015, rel=0.05)
        assert row.days_soonest <= row.days_to_threshold <= row.days_latest
        assert row.reason == ""

    def test_says_of_what_does_not_move_that_it_is_not_foreseeable(self, aged):
        row = newest(aged, Quantity.RESISTANCE)

        assert (row.days_to_threshold, row.reason) == (None, "steady")
        assert row.threshold == pytest.approx(150.0, rel=1e-3)

    def test_takes_the_threshold_of_the_rule_that_watches_over_the_spread(self, aged):
        AlarmRule.objects.filter(kind="cell_spread_at_rest").update(set_at=0.04)
        tell(aged, [16], now=after(17), spread=0.034)

        measure_battery(battery_pk=aged.pk, now=after(17))

        assert newest(aged, Quantity.SPREAD).threshold == 0.04

    def test_says_so_where_the_nameplate_does_not_say_what_rest_is(self, battery):
        battery.capacity_ah = None
        battery.save()
        tell(battery, range(2), now=after(2))
        measure_battery(battery_pk=battery.pk, now=after(2))

        assert newest(battery, Quantity.SPREAD).reason == "not_measured"
        assert newest(battery, Quantity.SOH).reason == "too_short"


class TestAlarms:
    def test_one_is_raised_once_a_threshold_is_near(self, aged):
        alarm = Alarm.objects.open().get(subject=aged.battery_id, kind="battery_cell_spread")

        assert (alarm.label, alarm.severity) == ("Cellar", "warning")
        assert alarm.text.startswith("The cells drift apart: in about 1")

    def test_it_ends_once_the_cells_were_balanced(self, aged):
        tell(aged, range(16, 40), now=after(40), spread=0.005)

        measure_battery(battery_pk=aged.pk, now=after(40))

        assert not Alarm.objects.open().filter(subject=aged.battery_id).exists()

    def test_the_past_raises_none(self, battery):
        tell(battery, range(16), now=after(60), spread=lambda day: 0.01 + 0.0015 * day)

        measure_battery(battery_pk=battery.pk, now=after(60))

        assert newest(battery, Quantity.SPREAD).days_to_threshold is not None
        assert not Alarm.objects.exists()


class TestWork:
    def test_the_task_measures_all_batteries(self, battery, monkeypatch):
        tell(battery, range(2), now=after(2))
        monkeypatch.setattr("meters.insights.tasks.trends.timezone.now", lambda: after(2))

        assert measure_batteries() == 2

    def test_the_command_reaches_further_back_than_the_task(self, battery, monkeypatch):
        tell(battery, range(2), now=after(2))
        out = StringIO()

        call_command("measure_batteries", battery.battery_id, since="2025-03-01", stdout=out)

        assert out.getvalue() == f"{battery.battery_id}: 2 days measured\n"

    @pytest.mark.parametrize("asked", [["nobody"], ["--since", "never"]])
    def test_the_command_refuses_what_there_is_not(self, db, asked):
        with pytest.raises(CommandError):
            call_command("measure_batteries", *asked)
