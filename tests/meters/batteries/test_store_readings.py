from datetime import timedelta

import pytest

from meters.batteries.models import Battery, BatteryState, BmsReading, QuarterMark, TouchedQuarters
from meters.series.errors import OutsideAcceptance
from meters.series.writer import Outcome
from tests.factories import BatteryFactory
from tests.meters.batteries.helpers import NOON, NOW, put

pytestmark = pytest.mark.django_db


@pytest.fixture
def battery() -> Battery:
    return BatteryFactory.create()


class TestStoreReadings:
    def test_keeps_what_was_told_and_knows_a_repeat_from_another_value(self, battery: Battery) -> None:
        row = (NOON, {"soc_percent": 50.1, "voltage_v": 832.3})

        outcomes = [put(battery, row)[0], put(battery, row)[0], put(battery, (NOON, {"soc_percent": 51.0}))[0]]

        assert outcomes == [Outcome.STORED, Outcome.DUPLICATE, Outcome.CONFLICT]
        assert BmsReading.objects.values_list("soc_percent", "voltage_v", "current_a").get() == (50.1, 832.3, None)

    def test_joins_what_is_told_of_one_instant_in_parts(self, battery: Battery) -> None:
        put(battery, (NOON, {"soc_percent": 50.1}))

        outcome = put(battery, (NOON, {"voltage_v": 832.3}))

        assert outcome == [Outcome.STORED]
        assert BatteryState.objects.get().bms == {"soc": 50.1, "voltage": 832.3}

    def test_shows_the_newest_reading_whatever_comes_late(self, battery: Battery) -> None:
        put(battery, (NOON, {"soc_percent": 50.1}))
        put(battery, (NOON - timedelta(hours=1), {"soc_percent": 60.0}), is_live=False)

        state = BatteryState.objects.get()

        assert (state.bms_at, state.bms, state.heard_at) == (NOON, {"soc": 50.1}, NOW)

    def test_is_not_heard_by_a_file(self, battery: Battery) -> None:
        put(battery, (NOON, {"soc_percent": 50.1}), is_live=False)

        assert BatteryState.objects.get().heard_at is None

    def test_logs_what_lies_below_the_mark_and_nothing_else(self, battery: Battery) -> None:
        QuarterMark.objects.update(until=NOON)
        put(battery, (NOON, {"soc_percent": 50.1}), (NOON - timedelta(minutes=1), {"soc_percent": 50.0}))
        put(battery, (NOON - timedelta(minutes=1), {"soc_percent": 50.0}))

        touched = TouchedQuarters.objects.get()

        assert (touched.low, touched.battery_ids) == (NOON - timedelta(minutes=1), [battery.pk])

    def test_refuses_the_future(self, battery: Battery) -> None:
        with pytest.raises(OutsideAcceptance):
            put(battery, (NOW + timedelta(hours=1), {"soc_percent": 50.1}))
