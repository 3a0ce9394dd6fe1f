from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.actors import Actor
from meters.models import (
    ChainEvent,
    Correction,
    Quality,
    ReadingException,
    RegisterReading,
    RegisterState,
    ServicePoint,
    SupersededReading,
)
from meters.selectors.timeline import Kind, meter_history, place_history
from meters.services import chain
from meters.services.partitions import make_partitions_ahead
from tests.factories import CustomerAccountFactory, ManagerFactory, RegisterFactory, ServicePointFactory

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


def day(number, **more):
    return START + timedelta(days=number, **more)


@pytest.fixture
def place():
    return ServicePointFactory()


@pytest.fixture
def actor():
    return Actor(user=ManagerFactory(name="Mona"))


@pytest.fixture
def register(place, actor):
    """A register that hangs since the first of March, where it showed 100."""
    made = RegisterFactory()
    chain.install_meter(
        meter=made.meter,
        service_point=place,
        at=START,
        first_reads={made.pk: Decimal(100)},
        actor=actor,
        now=day(20),
    )
    return made


def raise_exception(register, at, code="conflict", **more):
    return ReadingException.objects.create(register=register, time=at, code=code, opened_at=at, **more)


def supersede(register, at, **more):
    return SupersededReading.objects.create(
        register=register,
        time=at,
        value=1,
        quality=Quality.LINEAR,
        received_at=at,
        reason="true_data",
        **{"superseded_at": day(9), **more},
    )


def estimate(register, at, quality=Quality.LINEAR):
    make_partitions_ahead(now=START)
    RegisterReading.objects.create(register=register, time=at, value=1, quality=quality, received_at=day(10))
    RegisterState.objects.update_or_create(register=register, defaults={"estimated_from": START})


def told(timeline):
    return [(entry.kind, entry.at) for entry in timeline.entries]


class TestChain:
    def test_tells_of_an_exchange_with_both_meters_and_their_reads(self, place, register, actor):
        other = RegisterFactory()
        chain.exchange_meter(
            service_point=place,
            last_reads={register.pk: Decimal(150)},
            new_meter=other.meter,
            first_reads={other.pk: Decimal(7)},
            at=day(3),
            actor=actor,
            now=day(20),
        )

        entries = place_history(service_point=place).entries

        assert [(entry.event, entry.at, entry.meter) for entry in entries] == [
            ("removed", day(3), register.meter),
            ("installed", day(3), other.meter),
            ("installed", START, register.meter),
        ]
        assert [[(read.register, read.value) for read in entry.reads] for entry in entries] == [
            [(register, 150)],
            [(other, 7)],
            [(register, 100)],
        ]

    def test_tells_who_moved_in_and_out(self, place, register, actor):
        account = CustomerAccountFactory()
        chain.move_in(account=account, service_point=place, at=day(1), actor=actor, now=day(20))
        chain.move_out(
            account=account, service_point=place, at=day(2), actor=actor, now=day(20), reads={register.pk: Decimal(120)}
        )

        entries = place_history(service_point=place, kinds={Kind.SUPPLY}).entries

        assert [(entry.event, entry.account) for entry in entries] == [("moved_out", account), ("moved_in", account)]
        assert [read.value for read in entries[0].reads] == [120]
        assert entries[1].reads == ()

    def test_tells_of_another_multiplier_once(self, place, register, actor):
        chain.change_multiplier(
            register=register, multiplier=Decimal(40), value=Decimal(110), at=day(4), actor=actor, now=day(20)
        )

        entries = place_history(service_point=place, kinds={Kind.MULTIPLIER}).entries

        assert [(entry.at, entry.multiplier, entry.reads[0].value) for entry in entries] == [(day(4), 40, 110)]

    def test_tells_of_a_meter_without_any_read_once(self, place, actor):
        meter = RegisterFactory().meter
        chain.install_meter(meter=meter, service_point=place, at=START, first_reads={}, actor=actor, now=day(20))

        entries = place_history(service_point=place).entries

        assert [(entry.event, entry.meter, entry.reads) for entry in entries] == [("installed", meter, ())]


class TestReadings:
    def test_tells_of_exceptions_and_of_gaps_apart(self, place, register):
        conflict = raise_exception(register, day(1))
        gap = raise_exception(register, day(2), "gap", until=day(3))

        entries = place_history(service_point=place, kinds={Kind.EXCEPTION, Kind.GAP}).entries

        assert [(entry.kind, entry.row, entry.until) for entry in entries] == [
            (Kind.GAP, gap, day(3)),
            (Kind.EXCEPTION, conflict, None),
        ]

    def test_tells_of_a_correction_with_all_that_it_was(self, place, register, actor):
        correction = Correction.objects.create(
            register=register, time=day(2), old_value=5, new_value=6, reason="Typo.", made_at=day(8), made_by=actor.user
        )
        supersede(register, day(2), correction=correction)

        entries = place_history(service_point=place, kinds={Kind.CORRECTION, Kind.SUPERSEDED}).entries

        assert [entry.row for entry in entries] == [correction]
        assert entries[0].recorded_at == day(8)

    def test_tells_how_far_a_correction_of_many_values_goes(self, place, register, actor):
        correction = Correction.objects.create(
            register=register, time=day(2), old_value=5, reason="Another meter's.", made_at=day(8), made_by=actor.user
        )
        for number in range(3):
            supersede(register, day(2) + number * HALF_HOUR, correction=correction)

        (entry,) = place_history(service_point=place, kinds={Kind.CORRECTION}).entries

        assert (entry.at, entry.until, entry.row.count) == (day(2), day(2) + 2 * HALF_HOUR, 3)

    def test_puts_together_what_gave_way_at_one_go(self, place, register):
        for number in range(5):
            supersede(register, day(2) + number * HALF_HOUR)
        supersede(register, day(2), superseded_at=day(11))

        rows = [entry.row for entry in place_history(service_point=place, kinds={Kind.SUPERSEDED}).entries]

        assert sorted((row.count, row.start, row.end, row.value) for row in rows) == [
            (1, day(2), day(2), 1),
            (5, day(2), day(2) + 4 * HALF_HOUR, None),
        ]
        assert {row.label for row in rows} == {"true data came"}

    def test_puts_estimates_that_follow_on_one_another_together(self, place, register):
        for number in range(60):
            estimate(register, day(2) + number * HALF_HOUR)
        estimate(register, day(6), Quality.PROJECTED)

        rows = [entry.row for entry in place_history(service_point=place, kinds={Kind.ESTIMATE}).entries]

        assert [(row.label, row.count, row.start, row.end) for row in rows] == [
            (Quality.PROJECTED, 1, day(6), day(6)),
            (Quality.LINEAR, 60, day(2), day(2) + 59 * HALF_HOUR),
        ]

    def test_leaves_out_what_a_meter_did_elsewhere(self, place, register, actor):
        chain.remove_meter(
            meter=register.meter, at=day(5), last_reads={register.pk: Decimal(150)}, actor=actor, now=day(20)
        )
        elsewhere = ServicePointFactory()
        chain.install_meter(
            meter=register.meter,
            service_point=elsewhere,
            at=day(6),
            first_reads={register.pk: Decimal(150)},
            actor=actor,
            now=day(20),
        )
        here, there = raise_exception(register, day(4)), raise_exception(register, day(7))
        supersede(register, day(7))
        estimate(register, day(7))

        kinds = set(Kind) - {Kind.METER}
        assert [entry.row for entry in place_history(service_point=place, kinds=kinds).entries] == [here]
        assert there in [entry.row for entry in place_history(service_point=elsewhere, kinds=kinds).entries]
        assert [entry.place for entry in meter_history(meter=register.meter, kinds={Kind.METER}).entries] == [
            elsewhere,
            place,
            place,
        ]

    def test_keeps_other_places_out(self, place, register):
        raise_exception(RegisterFactory(), day(1))
        ChainEvent.objects.create(service_point=ServicePointFactory(), kind="installed", at=day(1))

        assert told(place_history(service_point=place)) == [(Kind.METER, START)]


class TestPages:
    def test_hold_every_entry_once_from_the_newest_to_the_oldest(self, place, register):
        for number in range(1, 8):
            raise_exception(register, day(number))
            raise_exception(register, day(number), "high")
            supersede(register, day(number), superseded_at=day(9, minutes=number))

        pages, before = [], None
        while True:
            page = place_history(service_point=place, before=before, limit=4)
            pages.append(page)
            before = page.older_than
            if before is None:
                break

        seen = [entry for page in pages for entry in told(page)]
        assert len(pages) > 3
        assert len(seen) == 22
        assert seen == sorted(seen, key=lambda entry: entry[1], reverse=True)

    def test_cost_the_same_however_much_happened(self, place, register, actor, django_assert_num_queries):
        def happen(at):
            raise_exception(register, at, closed_by=actor.user)
            supersede(register, at, superseded_at=at)
            estimate(register, at)
            Correction.objects.create(register=register, time=at, reason="-", made_at=at, made_by=actor.user)

        happen(day(1))
        with django_assert_num_queries(9):  # One of them finds the place.
            tell_all(place_history(service_point=ServicePoint.objects.get()))
        for number in range(2, 6):
            happen(day(number))
        account = CustomerAccountFactory()
        chain.move_in(account=account, service_point=place, at=day(1), actor=actor, now=day(20))

        with django_assert_num_queries(9):  # One of them finds the place.
            tell_all(place_history(service_point=ServicePoint.objects.get()))
        with django_assert_num_queries(7):
            tell_all(meter_history(meter=register.meter))


def tell_all(timeline):
    for entry in timeline.entries:
        str((entry.meter, entry.account, entry.place, entry.row and entry.row.register))
        str((getattr(entry.row, "made_by", None), getattr(entry.row, "closed_by", None)))
