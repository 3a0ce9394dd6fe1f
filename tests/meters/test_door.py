"""The door, rule by rule."""

from decimal import Decimal

import pytest

from accounts.actors import PORTAL, Actor
from meters.models import (
    DomainEvent,
    Quality,
    ReadingException,
    ReadingWork,
    Register,
    RegisterReading,
    RegisterState,
    SupersededReading,
)
from meters.services.chain import install_meter, remove_meter
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import (
    DataSourceFactory,
    RegisterFactory,
    ServicePointFactory,
    supplied_register,
)
from tests.meters.door import LATER, LIKE_DAY, LINEAR, NOW, VERIFIED, codes, mark, offer, stored, superseded

pytestmark = pytest.mark.django_db


@pytest.fixture
def dial():
    return supplied_register()


@pytest.fixture
def interval():
    return supplied_register(kind=Register.Kind.INTERVAL)


class TestWhatIsKept:
    def test_is_the_quality_of_each_row(self, dial):
        offer(dial, (0, 1), (1, 2, VERIFIED), (2, 3, Quality.RAW))

        assert [quality for _, _, quality in stored(dial)] == [Quality.VALIDATED, VERIFIED, Quality.RAW]

    @pytest.mark.parametrize("quality", [1, 20, "17", True, 17.0])
    def test_is_no_quality_that_nobody_knows(self, dial, quality):
        assert codes(offer(dial, (0, 1, quality)).rejected) == [(0, "unknown_quality")]

    def test_is_when_it_was_received_and_from_whom(self, dial):
        source = DataSourceFactory()

        offer(dial, (0, 1), actor=Actor(source=source))

        reading = RegisterReading.objects.get(register=dial)
        assert (reading.received_at, reading.source) == (NOW, source)

    def test_is_what_has_to_be_done_of_it(self, dial):
        other = supplied_register()
        offer(dial, (0, 1), (1, 2))
        offer(other, (0, 1))
        ReadingWork.objects.all().delete()

        rows = [OfferedReading(each.meter.serial, mark(n), 5) for each, n in ((dial, 2), (other, 1), (other, 100))]
        receive_readings(readings=rows, actor=PORTAL, now=NOW)

        work = [
            (each.purpose, each.register_ids, each.low, each.high, each.logged_at)
            for each in ReadingWork.objects.filter(purpose="rollup")
        ]
        assert sorted(work, key=str) == sorted(
            [
                ("rollup", [dial.pk], mark(2), mark(2), NOW),
                ("rollup", [other.pk], mark(1), mark(100), NOW),
            ],
            key=str,
        )
        for purpose in ("validation", "estimation", "scoring"):
            assert ReadingWork.objects.filter(purpose=purpose).count() == 2

    def test_is_no_work_when_nothing_came_in(self, dial):
        offer(dial, (0, 1))
        ReadingWork.objects.all().delete()

        offer(dial, (0, 1), (0, 2))

        assert not ReadingWork.objects.exists()


class TestUnit:
    @pytest.mark.parametrize("unit", [None, "", "kWh", "KWH"])
    def test_is_the_registers_own(self, dial, unit):
        assert offer(dial, (0, 1), unit=unit).stored == 1

    @pytest.mark.parametrize(("unit", "code"), [("Wh", "wrong_unit"), ("m³", "wrong_unit"), (7, "malformed")])
    def test_is_no_other(self, dial, unit, code):
        assert codes(offer(dial, (0, 1), unit=unit).rejected) == [(0, code)]

    def test_of_a_water_meter_is_written_either_way(self):
        register = supplied_register(unit=Register.Unit.M3)

        assert offer(register, (0, 1), unit="m3").stored == offer(register, (1, 1), unit="m³").stored == 1


class TestIntervalRegister:
    def test_may_show_less_than_before(self, interval):
        assert offer(interval, (0, "2.5"), (1, "1.5"), (2, 0)).stored == 3
        assert offer(interval, (-1, "3")).stored == 1

    def test_shows_nothing_below_zero(self, interval):
        assert codes(offer(interval, (0, -1)).rejected) == [(0, "negative")]

    def test_lets_what_no_connection_carries_wait(self, interval):
        report = offer(interval, (0, "6.9"), (1, "6.901"))

        assert (report.stored, codes(report.quarantined)) == (1, [(1, "over_capacity")])
        waiting = ReadingException.objects.get()
        assert (waiting.code, waiting.severity, waiting.status, waiting.time, waiting.offered_value) == (
            "over_capacity",
            "quarantine",
            "open",
            mark(1),
            Decimal("6.901"),
        )
        assert stored(interval) == [(0, Decimal("6.9"), Quality.VALIDATED)]

    def test_weighs_the_multiplier(self):
        interval = supplied_register(kind=Register.Kind.INTERVAL, multiplier=10)

        assert codes(offer(interval, (0, "0.7")).quarantined) == [(0, "over_capacity")]

    def test_of_a_meter_that_hangs_nowhere_carries_anything(self):
        assert offer(RegisterFactory(kind=Register.Kind.INTERVAL), (0, 1000)).stored == 1

    def test_repeats_and_contradicts_itself_like_any_other(self, interval):
        offer(interval, (0, 1))

        report = offer(interval, (0, 1), (0, 2), (1, 3), (1, 3))

        assert (report.stored, report.duplicates, codes(report.conflicts)) == (1, 2, [(1, "conflict")])

    def test_lets_a_true_value_undo_only_the_estimate_of_its_own_half_hour(self, interval):
        offer(interval, (0, 1), (1, 2, LINEAR), (2, 2, LINEAR), (3, 2, LINEAR))

        report = offer(interval, (2, 5), now=LATER)

        assert (report.stored, report.estimates_replaced) == (1, 1)
        assert stored(interval) == [
            (0, 1, Quality.VALIDATED),
            (1, 2, LINEAR),
            (2, 5, Quality.VALIDATED),
            (3, 2, LINEAR),
        ]
        event = DomainEvent.objects.get()
        assert (event.start, event.end) == (mark(1), mark(2))


class TestTrueValue:
    @pytest.fixture
    def gappy(self, dial):
        """A dial with a gap of three half-hours that is estimated, and an estimate after the last true value."""
        offer(dial, (0, 100), (4, 104))
        offer(dial, (1, 101, LINEAR), (2, 102, LINEAR), (3, 103, LINEAR), (5, 105, LIKE_DAY))
        ReadingWork.objects.all().delete()
        return dial

    @pytest.mark.parametrize("value", [102, "102.5"])
    def test_takes_an_estimates_place_and_undoes_those_of_its_stretch(self, gappy, value):
        report = offer(gappy, (2, value), now=LATER)

        assert (report.stored, report.duplicates, report.estimates_replaced) == (1, 0, 3)
        assert [(n, quality) for n, _, quality in stored(gappy)] == [(0, 17), (2, 17), (4, 17), (5, LIKE_DAY)]
        assert superseded(gappy) == [(n, 100 + n, LINEAR, "true_data") for n in (1, 2, 3)]
        kept = SupersededReading.objects.filter(register=gappy).values_list("received_at", "superseded_at")
        assert set(kept) == {(NOW, LATER)}

    def test_says_what_it_moved_and_what_is_missing_now(self, gappy):
        offer(gappy, (2, 102), now=LATER)

        event = DomainEvent.objects.get()
        place = gappy.meter.installations.get().service_point
        assert (event.kind, event.service_point, event.register, event.start, event.end, event.recorded_at) == (
            "reading_superseded",
            place,
            gappy,
            mark(0),
            mark(4),
            LATER,
        )
        work = ReadingWork.objects.filter(purpose="estimation").values_list("register_ids", "low", "high")
        assert ([gappy.pk], mark(1), mark(3)) in work

    def test_beyond_the_last_undoes_the_estimates_that_went_ahead(self, gappy):
        offer(gappy, (6, 106))

        assert [n for n, _, _ in stored(gappy)] == [0, 1, 2, 3, 4, 6]

    def test_is_never_refused_for_an_estimate(self, gappy):
        report = offer(gappy, (2, 103), (3, 103), (1, "100.1"), (5, "104.1"))

        assert (report.stored, report.rejected) == (4, ())

    def test_is_judged_between_its_true_neighbours(self, gappy):
        assert codes(offer(gappy, (2, 105)).rejected) == [(0, "regression")]
        assert len(stored(gappy)) == 6

    def test_that_stands_already_undoes_nothing(self, gappy):
        report = offer(gappy, (4, 104), (4, 105))

        assert (report.duplicates, len(report.conflicts), report.estimates_replaced) == (1, 1, 0)

    def test_keeps_the_earliest_estimate_in_mind(self, gappy):
        def earliest():
            return RegisterState.objects.get(register=gappy).estimated_from

        seen = [earliest()]
        for row in ((2, 102), (6, 106)):
            offer(gappy, row)
            seen.append(earliest())

        assert seen == [mark(1), mark(5), None]

    def test_of_an_event_undoes_estimates_too(self):
        register = RegisterFactory()
        install_meter(
            meter=register.meter,
            service_point=ServicePointFactory(),
            at=mark(-1),
            first_reads={},
            actor=PORTAL,
            now=NOW,
        )
        offer(register, (0, 100))
        offer(register, (1, 101, LINEAR), (2, 102, LINEAR))

        remove_meter(meter=register.meter, at=mark(3), last_reads={register.pk: Decimal(101)}, actor=PORTAL, now=LATER)

        assert [n for n, _, _ in stored(register)] == [0]
        assert len(superseded(register)) == 2


class TestOfferedEstimate:
    def test_comes_in_where_nothing_stands(self, dial):
        report = offer(dial, (0, 100), (1, 101, LINEAR), (2, 102))

        assert report.stored == 3
        assert RegisterState.objects.get(register=dial).estimated_from == mark(1)
        assert RegisterState.objects.get(register=dial).last_time == mark(2)

    def test_never_takes_a_true_values_place(self, dial):
        offer(dial, (0, 100))

        report = offer(dial, (0, 100, LINEAR), (0, 101, LINEAR))

        assert (report.stored, report.duplicates) == (0, 1)
        assert codes(report.rejected) == [(1, "estimate_not_taken")]
        assert not ReadingException.objects.exists()

    def test_gives_way_to_another(self, dial):
        offer(dial, (0, 100), (1, 101, LINEAR), (2, 102))

        report = offer(dial, (1, "101.5", LIKE_DAY), now=LATER)

        assert (report.stored, report.estimates_replaced) == (1, 1)
        assert stored(dial)[1] == (1, Decimal("101.5"), LIKE_DAY)
        assert superseded(dial) == [(1, 101, LINEAR, "new_estimate")]

    def test_that_stands_is_a_duplicate(self, dial):
        offer(dial, (0, 100), (1, 101, LINEAR))

        report = offer(dial, (1, 101, LIKE_DAY))

        assert (report.duplicates, superseded(dial)) == (1, [])

    def test_that_does_not_lie_between_its_neighbours_is_not_taken(self, dial):
        offer(dial, (0, 100), (4, 104))

        assert codes(offer(dial, (2, 105, LINEAR), (3, 99, LINEAR)).rejected) == [
            (0, "estimate_not_taken"),
            (1, "estimate_not_taken"),
        ]

    def test_takes_a_whole_curves_place(self, dial):
        offer(dial, (0, 100), (4, 104))
        offer(dial, (1, "100.1", LINEAR), (2, "100.2", LINEAR), (3, "100.3", LINEAR))

        report = offer(dial, (1, 102, LIKE_DAY), (2, "102.5", LIKE_DAY), (3, 103, LIKE_DAY))

        assert (report.stored, report.estimates_replaced) == (3, 3)

    def test_lets_an_older_one_go_that_contradicts_what_came_in(self, dial):
        offer(dial, (0, 100), (4, 104))
        offer(dial, (1, "100.1", LINEAR), (2, "100.2", LINEAR))

        report = offer(dial, (1, 102, LIKE_DAY), (2, 105, LIKE_DAY))

        assert (report.stored, codes(report.rejected)) == (1, [(1, "estimate_not_taken")])
        assert [n for n, _, _ in stored(dial)] == [0, 1, 4]
        assert superseded(dial)[1] == (2, Decimal("100.2"), LINEAR, "new_estimate")
