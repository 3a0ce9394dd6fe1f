from decimal import Decimal

import pytest

from accounts.actors import PORTAL, Actor
from meters.models import DomainEvent, Quality, ReadingWork, Register, RegisterReading, RegisterState, SupersededReading
from meters.services.entering import Change, Estimate, Replaced, enter_estimates, replace_readings
from tests.factories import DataSourceFactory, supplied_register
from tests.meters.door import LATER, LINEAR, NOW, VERIFIED, mark, offer, stored, superseded

EDITED = Quality.EDITED
CORRECTION = SupersededReading.Reason.CORRECTION

pytestmark = pytest.mark.django_db


@pytest.fixture
def dial():
    register = supplied_register()
    offer(register, (0, 100), (2, 102), (6, 106))
    offer(register, (1, 101, LINEAR), (3, 103, LINEAR), (5, 105, LINEAR))
    ReadingWork.objects.all().delete()
    return register


def replace(register, *changes, **more):
    return replace_readings(
        changes=[Change(register.pk, mark(n), None if value is None else Decimal(value), quality, **more)
                 for n, value, quality in changes],
        reason=CORRECTION,
        actor=PORTAL,
        now=LATER,
    )  # fmt: skip


class TestReplaceReadings:
    def test_lets_another_value_stand_and_keeps_the_old_one(self, dial):
        replaced = replace(dial, (6, "105.5", EDITED))

        assert replaced == [Replaced(dial.pk, mark(6), Decimal(106), 17, Decimal("105.5"), EDITED)]
        assert (6, Decimal("105.5"), EDITED) in stored(dial)
        assert (6, 106, 17, "correction") in superseded(dial)
        assert RegisterReading.objects.get(register=dial, time=mark(6)).received_at == LATER
        assert RegisterState.objects.get(register=dial).last_value == Decimal("105.5")

    def test_undoes_the_estimates_that_rested_on_it(self, dial):
        replace(dial, (2, "101.5", EDITED))

        assert [n for n, _, _ in stored(dial)] == [0, 2, 6]
        assert (mark(1), mark(5)) in ReadingWork.objects.filter(purpose="estimation").values_list("low", "high")

    def test_takes_a_value_away(self, dial):
        replaced = replace(dial, (6, None, EDITED))

        assert replaced == [Replaced(dial.pk, mark(6), Decimal(106), 17, None, None)]
        state = RegisterState.objects.get(register=dial)
        assert (state.last_time, state.last_value, state.estimated_from) == (mark(2), 102, mark(1))

    def test_takes_all_values_away(self, dial):
        replace(dial, (0, None, EDITED), (2, None, EDITED), (6, None, EDITED))

        state = RegisterState.objects.get(register=dial)
        assert (stored(dial), state.last_time, state.estimated_from) == ([], None, None)

    def test_brings_a_value_where_none_stood(self, dial):
        source = DataSourceFactory()

        replaced = replace(dial, (8, 104, VERIFIED), source_id=source.pk, raw_stamp="as written")

        assert replaced == [Replaced(dial.pk, mark(8), None, None, Decimal(104), VERIFIED)]
        reading = RegisterReading.objects.get(register=dial, time=mark(8))
        assert (reading.source, reading.raw_stamp) == (source, "as written")
        assert RegisterState.objects.get(register=dial).last_time == mark(8)

    def test_leaves_alone_what_stands_already(self, dial):
        assert replace(dial, (6, 106, 17), (7, None, EDITED)) == []
        assert superseded(dial) == []
        assert not ReadingWork.objects.exists()

    def test_changes_a_quality(self, dial):
        assert replace(dial, (0, 100, VERIFIED))[0].new_quality == VERIFIED

    def test_replaces_an_estimate_alone_by_another(self, dial):
        replace(dial, (3, "103.5", LINEAR))

        assert superseded(dial) == [(3, 103, LINEAR, "correction")]

    def test_lets_an_estimate_come_in_beside_the_value_that_undid_the_old_one(self, dial):
        replace(dial, (3, 103, LINEAR), (4, "103.5", EDITED))

        assert [(n, value) for n, value, _ in stored(dial)][2:] == [(2, 102), (3, 103), (4, Decimal("103.5")), (6, 106)]
        assert [(n, why) for n, _, _, why in superseded(dial)] == [(3, "true_data"), (5, "true_data")]

    def test_says_which_energy_moved(self, dial):
        replace(dial, (2, "101.5", EDITED))

        assert {(event.start, event.end) for event in DomainEvent.objects.all()} == {(mark(0), mark(6))}

    def test_moves_one_half_hour_of_an_interval_register(self):
        register = supplied_register(kind=Register.Kind.INTERVAL)
        offer(register, (0, 1), (1, 2), (2, 3, LINEAR))

        replace(register, (1, "1.5", EDITED))

        assert len(stored(register)) == 3
        event = DomainEvent.objects.get()
        assert (event.start, event.end) == (mark(0), mark(1))

    def test_notes_where_a_dial_turns_over_now(self, dial):
        replace(dial, (2, 5, EDITED), (6, 6, EDITED))

        assert [(each.time, each.status) for each in dial.exceptions.filter(code="rollover")] == [(mark(2), "accepted")]

    def test_comes_from_its_actors_source(self, dial):
        source = DataSourceFactory()
        replace_readings(
            changes=[Change(dial.pk, mark(9), Decimal(110), 17)],
            reason=CORRECTION,
            actor=Actor(source=source),
            now=LATER,
        )

        assert RegisterReading.objects.get(register=dial, time=mark(9)).source == source


class TestEnterEstimates:
    def enter(self, register, *rows):
        estimates = [Estimate(register.pk, mark(n), Decimal(value), LINEAR) for n, value in rows]
        return enter_estimates(estimates=estimates, actor=PORTAL, now=LATER)

    def test_fills_what_is_missing_and_replaces_what_differs(self, dial):
        assert self.enter(dial, (3, 103), (4, 104), (5, "105.5")) == 2

        assert [(n, value) for n, value, _ in stored(dial)][3:] == [(3, 103), (4, 104), (5, Decimal("105.5")), (6, 106)]
        assert superseded(dial) == [(5, 105, LINEAR, "new_estimate")]
        assert RegisterState.objects.get(register=dial).estimated_from == mark(1)
        purposes = set(ReadingWork.objects.values_list("purpose", flat=True))
        assert purposes == {"rollup", "validation", "estimation", "scoring"}

    def test_leaves_true_values_alone(self, dial):
        assert self.enter(dial, (2, "102.5"), (6, 107)) == 0
        assert superseded(dial) == []

    def test_takes_none_that_came_too_late(self, dial):
        offer(dial, (4, "103.5"))

        assert self.enter(dial, (3, 103), (5, 103)) == 1
        assert [n for n, _, _ in stored(dial)] == [0, 1, 2, 3, 4, 6]

    def test_notes_the_earliest(self):
        register = supplied_register()
        offer(register, (0, 100), (4, 104))

        self.enter(register, (2, 102), (1, 101))

        state = RegisterState.objects.get(register=register)
        assert (state.estimated_from, state.last_time) == (mark(1), mark(4))

    def test_notes_where_a_dial_turned_over(self):
        register = supplied_register()
        offer(register, (0, 999_999))

        assert self.enter(register, (1, 1)) == 1
        assert register.exceptions.get().code == "rollover"

    def test_does_nothing_for_nothing(self):
        assert enter_estimates(estimates=[], actor=PORTAL, now=NOW) == 0
