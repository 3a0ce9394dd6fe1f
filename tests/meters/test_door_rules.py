"""The door's rules, as managers set them."""

from datetime import datetime

import pytest

from accounts.actors import Actor
from meters.models import (
    Meter,
    Quality,
    ReadingException,
    Register,
)
from tests.factories import (
    DataSourceFactory,
    MeterFactory,
    ValidationRuleFactory,
    supplied_register,
)
from tests.meters.door import codes, mark, offer, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def dial():
    return supplied_register()


@pytest.fixture
def interval():
    return supplied_register(kind=Register.Kind.INTERVAL)


class TestRules:
    def test_keep_a_regression_for_the_desk_once(self, dial):
        offer(dial, (0, 100))

        for _ in range(2):
            assert codes(offer(dial, (1, 50)).rejected) == [(0, "regression")]

        kept = ReadingException.objects.get()
        assert (kept.code, kept.severity, kept.status, kept.offered_value) == ("regression", "reject", "open", 50)

    def test_let_a_regression_wait_where_a_manager_wants_that(self, dial):
        ValidationRuleFactory(code="regression", severity="quarantine")
        source = DataSourceFactory(label_convention="period_start")
        offer(dial, (1, 100))

        report = offer(dial, (1, "50", Quality.RAW), actor=Actor(source=source))

        assert (report.rejected, codes(report.quarantined)) == ((), [(0, "regression")])
        kept = ReadingException.objects.get()
        assert (kept.severity, kept.offered_quality, kept.source, kept.time) == ("quarantine", 14, source, mark(2))
        assert datetime.fromisoformat(kept.raw_stamp) == mark(1)

    @pytest.mark.parametrize("way", ["overrides", "disabled"])
    def test_let_a_regression_pass_as_a_turn(self, dial, way):
        if way == "disabled":
            ValidationRuleFactory(code="regression", severity="reject", enabled=False)
        offer(dial, (0, 100))

        report = offer(dial, (1, 50), overrides=frozenset({"regression"} if way == "overrides" else ()))

        assert report.stored == 1
        assert [(each.code, each.status) for each in ReadingException.objects.all()] == [("rollover", "accepted")]

    def test_flag_a_turn_where_a_manager_wants_that(self, dial):
        ValidationRuleFactory(code="rollover", severity="flag")

        report = offer(dial, (0, 999_999), (1, 1))

        assert report.stored == 2
        kept = ReadingException.objects.get()
        assert (kept.code, kept.severity, kept.status) == ("rollover", "flag", "open")

    @pytest.mark.parametrize(
        ("severity", "stored_", "kept"),
        [("reject", 0, []), ("flag", 1, [("flag", "open")]), ("info", 1, [("info", "accepted")])],
    )
    def test_make_of_too_much_energy_what_a_manager_wants(self, interval, severity, stored_, kept):
        ValidationRuleFactory(code="over_capacity", severity=severity)

        report = offer(interval, (0, 7))

        assert (report.stored, report.quarantined) == (stored_, ())
        assert list(ReadingException.objects.values_list("severity", "status")) == kept

    def test_hold_in_their_scope_only(self, interval):
        water = supplied_register(kind=Register.Kind.INTERVAL, unit=Register.Unit.M3, meter=MeterFactory(type="water"))
        point = water.meter.installations.get().service_point
        point.commodity = "water"
        point.save()
        ValidationRuleFactory(code="over_capacity", severity="reject", commodity="water")

        assert codes(offer(interval, (0, 7)).quarantined) == [(0, "over_capacity")]
        assert codes(offer(water, (0, 7)).rejected) == [(0, "over_capacity")]

    def test_catch_nothing_that_stands_already(self, interval):
        offer(interval, (0, 7), overrides=frozenset({"over_capacity"}))

        report = offer(interval, (0, 7))

        assert (report.duplicates, report.quarantined) == (1, ())
        assert not ReadingException.objects.exists()

    def test_let_what_waits_be_nobodys_neighbour(self, dial):
        ValidationRuleFactory(code="regression", severity="quarantine")
        offer(dial, (0, 100))

        report = offer(dial, (1, 50), (2, 101))

        assert (report.stored, codes(report.quarantined)) == (1, [(0, "regression")])

    def test_say_how_far_a_clock_may_be_ahead(self, dial):
        ValidationRuleFactory(code="in_future", severity="reject", thresholds={"minutes": 60})

        assert offer(dial, (1, 1), now=mark(0)).stored == 1
        assert codes(offer(dial, (3, 1), now=mark(0)).rejected) == [(0, "in_future")]

    def test_refuse_what_comes_from_meters_that_are_not_in_service(self):
        register = supplied_register(meter=MeterFactory(status=Meter.Status.INACTIVE))

        assert codes(offer(register, (0, 1)).rejected) == [(0, "inactive_meter")]
        assert offer(register, (0, 1), overrides=frozenset({"inactive_meter"})).stored == 1


class TestNewAndLateInOneBatch:
    def test_holds_the_new_one_to_the_newest_that_stands(self, dial):
        offer(dial, (0, 100), (200, 200))

        report = offer(dial, (1, 101), (201, 150))

        assert (report.stored, codes(report.rejected)) == (1, [(1, "regression")])


class TestCapacityOfADial:
    def test_holds_back_what_the_connection_cannot_have_carried(self, dial):
        offer(dial, (0, 100))

        report = offer(dial, (1, 107))

        assert codes(report.quarantined) == [(0, "over_capacity")]
        assert [n for n, _, _ in stored(dial)] == [0]
        assert ReadingException.objects.get().severity == "quarantine"

    def test_grows_with_the_time_that_passed(self, dial):
        offer(dial, (0, 100))

        assert offer(dial, (2, "113.8")).stored == 1

    def test_lets_pass_what_a_person_lets_pass(self, dial):
        offer(dial, (0, 100))

        assert offer(dial, (1, 107), overrides=frozenset({"over_capacity"})).stored == 1

    def test_is_judged_on_both_sides_of_a_late_value(self, dial):
        offer(dial, (0, 100), (2, 110))

        assert codes(offer(dial, (1, 101)).quarantined) == [(0, "over_capacity")]
        assert offer(dial, (1, 105)).stored == 1

    def test_does_not_blame_what_divides_a_stretch_that_stands(self, dial):
        offer(dial, (0, 100))
        offer(dial, (2, 200), overrides=frozenset({"over_capacity"}))

        assert offer(dial, (1, 150)).stored == 1
