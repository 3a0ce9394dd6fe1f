"""What a person does about exceptions, and corrections."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection

from accounts.actors import Actor
from accounts.models import AuditEntry
from energy_portal.shared.errors import DomainError
from meters.models import (
    ChainEvent,
    Correction,
    DomainEvent,
    Meter,
    ReadingException,
    Register,
    RegisterReading,
    SupersededReading,
)
from meters.services.corrections import CannotStand, NothingToCorrect, correct_reading
from meters.services.exceptions import AlreadyClosed, NoReason
from meters.services.readings import OfferedReading, receive_readings
from meters.services.remedies import (
    CannotEnter,
    CannotEstimate,
    NotARemedy,
    accept,
    estimate_instead,
    reclassify_as_exchange,
    reclassify_as_rollover,
    reject,
)
from tests.factories import DataSourceFactory, ManagerFactory, MeterFactory, ValidationRuleFactory, supplied_register

pytestmark = pytest.mark.django_db

T = datetime(2025, 3, 10, 4, tzinfo=UTC)
HALF = timedelta(minutes=30)
HOUR = 2 * HALF
NOW = T + timedelta(days=1)
SPIKE = ("100", "101", "102", "106")


@pytest.fixture
def manager():
    return Actor(user=ManagerFactory())


@pytest.fixture
def register():
    return supplied_register()


@pytest.fixture
def spikes_wait():
    """Let a spike wait at the door; it is one when two half-hours that are known came before it."""
    ValidationRuleFactory(code="spike", severity="quarantine")


def send(register, *values, start=T, step=HALF, source=None):
    """Offer values half an hour apart, as telemetry would."""
    return receive_readings(
        readings=[
            OfferedReading(register.meter.serial, start + place * step, value, register.code)
            for place, value in enumerate(values)
        ],
        actor=Actor(source=source or DataSourceFactory()),
        now=NOW,
    )


def standing(register):
    rows = RegisterReading.objects.filter(register=register).order_by("time")
    return [(row.time - T, float(row.value), row.quality) for row in rows]


def the_open():
    return ReadingException.objects.get(status="open")


class TestAccept:
    def test_lets_a_waiting_value_enter_as_its_source_sent_it(self, register, manager, spikes_wait):
        source = DataSourceFactory()
        send(register, *SPIKE, source=source)

        accept(exception_id=the_open().pk, note="A new heat pump.", actor=manager, now=NOW)

        assert standing(register)[-1] == (3 * HALF, 106, 17)
        assert RegisterReading.objects.get(register=register, time=T + 3 * HALF).source == source
        closed = ReadingException.objects.get()
        assert (closed.code, closed.status, closed.note, closed.closed_by, closed.closed_at) == (
            "spike",
            "accepted",
            "A new heat pump.",
            manager.user,
            NOW,
        )

    def test_keeps_the_sources_label_convention(self, register, manager, spikes_wait):
        send(register, *SPIKE, start=T - HALF, source=DataSourceFactory(label_convention="period_start"))

        accept(exception_id=the_open().pk, note="Yes.", actor=manager, now=NOW)

        assert [time for time, *_ in standing(register)] == [0 * HALF, HALF, 2 * HALF, 3 * HALF]

    def test_keeps_the_instant_at_which_somebody_read_a_dial(self, register, manager):
        ReadingException.objects.create(
            register=register,
            time=T + timedelta(minutes=3),
            code="spike",
            severity="quarantine",
            offered_value=7,
            offered_quality=17,
            source=DataSourceFactory(label_convention="period_start"),
            opened_at=NOW,
        )

        accept(exception_id=the_open().pk, note="Yes.", actor=manager, now=NOW)

        assert standing(register) == [(timedelta(minutes=3), 7, 17)]

    def test_settles_a_flag_without_moving_a_reading(self, register, manager):
        send(register, "100")
        flag = ReadingException.objects.create(register=register, time=T, code="spike", opened_at=NOW)

        accept(exception_id=flag.pk, note="Guests.", actor=manager, now=NOW)

        flag.refresh_from_db()
        assert (flag.status, standing(register)) == ("accepted", [(0 * HALF, 100, 17)])

    def test_of_a_conflict_is_a_correction(self, register, manager):
        send(register, "100", "104", "106")
        send(register, "105", start=T + HALF)

        accept(exception_id=the_open().pk, note="The second is right.", actor=manager, now=NOW)

        assert standing(register) == [(0 * HALF, 100, 17), (HALF, 105, 17), (HOUR, 106, 17)]
        correction = Correction.objects.get()
        assert (correction.old_value, correction.new_value, correction.made_by) == (104, 105, manager.user)
        assert SupersededReading.objects.get().correction == correction

    def test_does_not_let_a_dial_run_backwards(self, register, manager):
        send(register, "100", "90")

        with pytest.raises(NotARemedy):
            accept(exception_id=the_open().pk, note="Yes.", actor=manager, now=NOW)

        assert the_open().code == "regression"

    def test_says_why_a_value_still_cannot_enter(self, register, manager, spikes_wait):
        send(register, *SPIKE)
        send(register, "103", start=T + 4 * HALF)

        with pytest.raises(CannotEnter):
            accept(exception_id=the_open().pk, note="Yes.", actor=manager, now=NOW)

        assert the_open().code == "spike"
        assert [value for _, value, _ in standing(register)] == [100, 101, 102, 103]

    def test_is_audited_with_who_when_and_why(self, register, manager, spikes_wait):
        send(register, *SPIKE)

        accept(exception_id=the_open().pk, note="A new heat pump.", actor=manager, now=NOW)

        entry = AuditEntry.objects.get(action="reading_exception.accepted")
        assert (entry.user, entry.at, entry.detail["reason"]) == (manager.user, NOW, "A new heat pump.")


class TestReject:
    def test_keeps_what_stands(self, register, manager):
        send(register, "100")
        send(register, "101")

        reject(exception_id=the_open().pk, note="The first is right.", actor=manager, now=NOW)

        assert standing(register) == [(0 * HOUR, 100, 17)]
        assert ReadingException.objects.get().status == "rejected"

    def test_needs_a_reason(self, register, manager):
        send(register, "100", "90")

        with pytest.raises(NoReason):
            reject(exception_id=the_open().pk, note="  ", actor=manager, now=NOW)

    @pytest.mark.parametrize("act", [accept, reject, estimate_instead, reclassify_as_rollover])
    def test_and_every_other_decision_is_made_once(self, register, manager, act):
        send(register, "100", "90")
        exception = the_open()
        reject(exception_id=exception.pk, note="No.", actor=manager, now=NOW)

        with pytest.raises(AlreadyClosed):
            act(exception_id=exception.pk, note="Yes.", actor=manager, now=NOW)


class TestEstimateInstead:
    def test_of_a_waiting_value_estimates_its_half_hour(self, register, manager, spikes_wait):
        send(register, *SPIKE)
        send(register, "104", start=T + 4 * HALF)

        estimate_instead(exception_id=the_open().pk, note="Noise.", actor=manager, now=NOW)

        assert standing(register)[-3:] == [(2 * HALF, 102, 17), (3 * HALF, 103, 9), (4 * HALF, 104, 17)]
        assert ReadingException.objects.get(code="spike").status == "estimated"

    def test_of_a_flag_takes_the_reading_back_and_keeps_it(self, register, manager):
        send(register, "100", "103.6", "104")
        flag = ReadingException.objects.create(register=register, time=T + HALF, code="spike", opened_at=NOW)

        estimate_instead(exception_id=flag.pk, note="Noise.", actor=manager, now=NOW)

        assert standing(register) == [(0 * HOUR, 100, 17), (HALF, 102, 9), (HOUR, 104, 17)]
        kept = SupersededReading.objects.get()
        assert (kept.value, kept.reason, kept.correction.reason) == (Decimal("103.6"), "withdrawn", "Noise.")

    def test_leaves_everything_as_it_was_where_too_little_is_known(self, register, manager):
        send(register, "100")
        flag = ReadingException.objects.create(register=register, time=T, code="spike", opened_at=NOW)

        with pytest.raises(CannotEstimate):
            estimate_instead(exception_id=flag.pk, note="Noise.", actor=manager, now=NOW)

        assert standing(register) == [(0 * HALF, 100, 17)]
        assert the_open() == flag

    def test_of_a_stretch_keeps_the_ends_of_the_dial(self, register, manager):
        send(register, "100", "100.2", "100.2", "102")
        flag = ReadingException.objects.create(
            register=register, time=T, until=T + 3 * HALF, code="zero_use", opened_at=NOW
        )

        estimate_instead(exception_id=flag.pk, note="It hung.", actor=manager, now=NOW)

        assert [quality in {8, 9} for _, _, quality in standing(register)] == [False, True, True, False]
        assert [value for _, value, _ in standing(register)][::3] == [100, 102]


class TestReclassifyAsRollover:
    def test_lets_the_value_enter_and_notes_that_the_dial_turned_over(self, register, manager):
        send(register, "999000", "10")  # 1010 kWh in an hour is no plausible roll-over

        reclassify_as_rollover(exception_id=the_open().pk, note="Seen on site.", actor=manager, now=NOW)

        assert [value for _, value, _ in standing(register)] == [999000, 10]
        noted = ReadingException.objects.get(code="rollover")
        assert (noted.time, noted.status) == (T + HALF, "accepted")
        assert ReadingException.objects.get(code="regression").status == "reclassified"

    def test_is_not_for_flags(self, register, manager):
        flag = ReadingException.objects.create(register=register, time=T, code="spike", opened_at=NOW)

        with pytest.raises(NotARemedy):
            reclassify_as_rollover(exception_id=flag.pk, note="Yes.", actor=manager, now=NOW)


class TestReclassifyAsExchange:
    def exchange(self, exception, manager, **changes):
        wanted = {
            "new_serial": "NEW-1",
            "at": T + timedelta(minutes=17),
            "last_read": Decimal("45210.3"),
            "first_read": Decimal("12.0"),
            "note": "Exchanged.",
        }
        return reclassify_as_exchange(exception_id=exception.pk, actor=manager, now=NOW, **(wanted | changes))

    def test_moves_all_that_waits_to_the_new_meter(self, register, manager):
        send(register, "45210.0")
        send(register, "12.1", "12.4", start=T + HALF)
        first = ReadingException.objects.filter(status="open").order_by("time").first()

        self.exchange(first, manager)

        new = Register.objects.get(meter__serial="NEW-1")
        assert [value for _, value, _ in standing(new)] == [12.1, 12.4]
        assert (new.digits, new.unit) == (register.digits, register.unit)
        assert set(ReadingException.objects.values_list("status", flat=True)) == {"reclassified"}
        events = ChainEvent.objects.filter(kind__in=("removed", "installed")).order_by("value")
        assert [(event.kind, event.value) for event in events] == [
            ("installed", 12),
            ("removed", Decimal("45210.3")),
        ]

    def test_uses_a_meter_that_is_registered(self, register, manager):
        meter = MeterFactory(serial="NEW-1")
        send(register, "45210.0", "12.1")

        self.exchange(the_open(), manager)

        assert Register.objects.get(meter=meter).code == register.code

    def test_leaves_nothing_behind_when_a_read_cannot_be(self, register, manager):
        send(register, "45210.0", "12.1")

        with pytest.raises(DomainError):
            self.exchange(the_open(), manager, last_read=Decimal(45000))

        assert not Meter.objects.filter(serial="NEW-1").exists()
        assert the_open().code == "regression"

    def test_is_refused_where_the_old_meter_sent_more(self, register, manager):
        send(register, "45210.0", "12.1")
        send(register, "45211.0", start=T + 2 * HOUR)

        with pytest.raises(NotARemedy):
            self.exchange(the_open(), manager)


class TestCorrectReading:
    def correct(self, register, manager, value, **changes):
        wanted = {"register": register, "time": T + HALF, "reason": "Misread.", "actor": manager, "now": NOW}
        return correct_reading(value=value, **(wanted | changes))

    def test_replaces_what_stands_and_keeps_it(self, register, manager):
        send(register, "100", "104", "106")

        correction = self.correct(register, manager, Decimal(105))

        assert standing(register)[1] == (HALF, 105, 7)
        assert (correction.old_value, correction.old_quality, correction.new_value) == (104, 17, 105)
        assert DomainEvent.objects.filter(kind="reading_superseded").exists()
        assert AuditEntry.objects.get(action="reading.corrected").detail["reason"] == "Misread."

    def test_lists_the_days_and_months_that_moved(self, register, manager):
        midnight = datetime(2025, 2, 28, 16, tzinfo=UTC)  # the 1st of March in Singapore
        send(register, "100", "104", "106", start=midnight - HALF)

        touched = self.correct(register, manager, Decimal(105), time=midnight).touched

        assert touched["unit"] == "kWh"
        assert [(day["before"], day["after"]) for day in touched["days"]] == [("4", "5"), ("2", "1")]
        assert [(month["before"], month["after"]) for month in touched["months"]] == [("4", "5"), ("2", "1")]

    def test_withdraws(self, register, manager):
        send(register, "100", "104", "106")

        correction = self.correct(register, manager, None)

        assert [value for _, value, _ in standing(register)] == [100, 106]
        assert (correction.old_value, correction.new_value) == (104, None)

    @pytest.mark.parametrize("value", ["99", "107", "-1", "1000000"])
    def test_refuses_what_does_not_fit_its_neighbours(self, register, manager, value):
        send(register, "100", "104", "106")

        with pytest.raises(CannotStand):
            self.correct(register, manager, Decimal(value))

        assert not Correction.objects.exists()

    def test_refuses_what_has_not_come_yet(self, register, manager):
        with pytest.raises(CannotStand):
            self.correct(register, manager, Decimal(1), time=NOW + HOUR)

    def test_is_none_where_nothing_would_change(self, register, manager):
        send(register, "100")

        with pytest.raises(NothingToCorrect):
            self.correct(register, manager, None)


class TestTwoManagersAtOnce:
    @pytest.mark.django_db(transaction=True)
    def test_one_wins(self):
        ValidationRuleFactory(code="spike", severity="quarantine")
        send(supplied_register(), *SPIKE)
        exception = the_open()
        actors = [Actor(user=ManagerFactory()) for _ in range(2)]
        outcomes = []
        barrier = Barrier(2)

        def decide(act, actor):
            barrier.wait()
            try:
                act(exception_id=exception.pk, note="Mine.", actor=actor, now=NOW)
                outcomes.append("won")
            except AlreadyClosed:
                outcomes.append("late")
            finally:
                connection.close()

        threads = [Thread(target=decide, args=pair) for pair in zip((accept, reject), actors, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(outcomes) == ["late", "won"]
        assert AuditEntry.objects.filter(action__startswith="reading_exception.").count() == 1
