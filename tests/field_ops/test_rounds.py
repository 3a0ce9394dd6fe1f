"""Rounds, which come back and make their assignments themselves."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.actors import PORTAL, Actor
from field_ops.models import Assignment, Round, RoundRun
from field_ops.selectors.rounds import NoSuchRound
from field_ops.services import assignments, rounds
from field_ops.services.rounds import RoundsMade, make_rounds, months_later, save_round
from meters.models import RegionManager
from tests.factories import ManagerFactory, MeterFactory, RegionFactory
from tests.field_ops.factories import THEN, AgentFactory, RoundFactory

pytestmark = pytest.mark.django_db

DAY = THEN.date()
DUE = datetime(2025, 3, 24, 16, tzinfo=UTC)


@pytest.fixture
def region():
    return RegionFactory()


def meters_in(region, count, **fields):
    return [
        MeterFactory(region=region, latitude=region.latitude + n / 1000, longitude=region.longitude, **fields)
        for n in range(count)
    ]


class TestMakeRounds:
    def test_sends_the_agent_of_a_round_through_its_region(self, region):
        agent = AgentFactory(region=region)
        far, _gone, near = *meters_in(region, 2), MeterFactory(region=region)
        type(_gone).objects.filter(pk=_gone.pk).update(status="inactive")
        RoundFactory(region=region, agent=agent)

        assert make_rounds(now=THEN) == RoundsMade(rounds=1, made=2)

        made = Assignment.objects.order_by("sequence")
        assert [(each.meter, each.agent, each.origin, each.due_at) for each in made] == [
            (far, agent, "round", DUE),
            (near, agent, "round", DUE),
        ]

    def test_keeps_the_sequence_of_its_stops(self, region):
        agent = AgentFactory(region=region)
        found = RoundFactory(region=region, agent=agent)
        walk = meters_in(region, 3)
        walk = [walk[2], walk[0], walk[1]]
        save_round(round_id=found.pk, values={}, meter_ids=[each.pk for each in walk], actor=PORTAL, now=THEN)

        make_rounds(now=THEN)

        assert [each.meter for each in Assignment.objects.order_by("sequence")] == walk

    def test_shares_a_round_without_an_agent_among_those_of_its_region(self, region):
        agents = AgentFactory.create_batch(2, region=region)
        AgentFactory()
        meters_in(region, 6)
        RoundFactory(region=region)

        make_rounds(now=THEN)

        assert [Assignment.objects.filter(agent=agent).count() for agent in agents] == [3, 3]

    def test_lets_wait_what_nobody_has_room_for(self, region):
        agent = AgentFactory(region=region, max_load=1)
        meters_in(region, 2)
        (urgent,) = meters_in(region, 1, priority="critical")
        RoundFactory(region=region, agent=agent)

        make_rounds(now=THEN)

        assert Assignment.objects.get(agent=agent).meter == urgent
        assert Assignment.objects.filter(agent=None, origin="round").count() == 2

    def test_counts_what_has_an_open_assignment_already(self, region):
        agent = AgentFactory(region=region)
        taken, _free = meters_in(region, 2)
        assignments.assign(meter_ids=[taken.pk], agent_id=agent.pk, due_at=None, actor=PORTAL, now=THEN)
        RoundFactory(region=region, agent=agent)

        make_rounds(now=THEN)

        run = RoundRun.objects.get()
        assert (run.on, run.made, run.skipped) == (DAY, 1, 1)

    def test_makes_a_day_once(self, region):
        meters_in(region, 1)
        found = RoundFactory(region=region)
        make_rounds(now=THEN)
        Round.objects.filter(pk=found.pk).update(next_on=DAY)
        Assignment.objects.update(status="cancelled")

        make_rounds(now=THEN)

        assert (RoundRun.objects.count(), Assignment.objects.count()) == (1, 1)
        found.refresh_from_db()
        assert found.next_on == date(2025, 5, 10)

    def test_leaves_what_is_not_due_or_not_active_alone(self, region):
        RoundFactory(region=region, next_on=DAY + timedelta(days=1))
        RoundFactory(region=region, is_active=False)

        assert make_rounds(now=THEN) == RoundsMade()

    def test_begins_its_day_on_the_clock_of_the_site(self, region):
        RoundFactory(region=region, next_on=DAY + timedelta(days=1))

        assert make_rounds(now=datetime(2025, 3, 10, 16, tzinfo=UTC)).rounds == 1

    def test_makes_up_for_days_missed_once(self, region):
        found = RoundFactory(region=region, next_on=date(2024, 12, 31), every_months=1)

        make_rounds(now=THEN)

        found.refresh_from_db()
        assert found.next_on == date(2025, 3, 31)
        assert RoundRun.objects.get().on == date(2024, 12, 31)

    def test_comes_back_on_the_last_day_of_short_months_only(self, region):
        found = RoundFactory(region=region, next_on=date(2025, 1, 30), every_months=1)
        days = []
        for _ in range(3):
            make_rounds(now=datetime.combine(found.next_on, THEN.timetz()))
            found.refresh_from_db()
            days.append(found.next_on)

        assert days == [date(2025, 2, 28), date(2025, 3, 30), date(2025, 4, 30)]

    def test_goes_on_when_one_round_fails(self, region, monkeypatch):
        broken, good = RoundFactory(region=region), RoundFactory(region=region)
        plain = rounds.hand_out

        def failing(*, lines, order):
            if order.round_run.round_id == broken.pk:
                raise RuntimeError
            return plain(lines=lines, order=order)

        monkeypatch.setattr(rounds, "hand_out", failing)

        assert make_rounds(now=THEN) == RoundsMade(rounds=1, failed=1)
        assert [run.round for run in RoundRun.objects.all()] == [good]


class TestMakeRoundNow:
    def test_makes_a_round_without_waiting_for_its_day_once_a_day(self, region):
        meters_in(region, 1)
        found = RoundFactory(region=region, next_on=DAY + timedelta(days=20))
        manager = Actor(user=ManagerFactory())

        run = rounds.make_round_now(round_id=found.pk, actor=manager, now=THEN)

        assert (run.on, run.made) == (DAY, 1)
        found.refresh_from_db()
        assert found.next_on == DAY + timedelta(days=20)
        with pytest.raises(rounds.MadeToday):
            rounds.make_round_now(round_id=found.pk, actor=manager, now=THEN)

    def test_keeps_managers_to_their_regions(self, region):
        manager = ManagerFactory()
        RegionManager.objects.create(region=region, user=manager)

        with pytest.raises(NoSuchRound):
            rounds.make_round_now(round_id=RoundFactory().pk, actor=Actor(user=manager), now=THEN)


class TestMonthsLater:
    @pytest.mark.parametrize(
        ("day", "months", "day_of_month", "later"),
        [
            (date(2025, 1, 31), 1, 31, date(2025, 2, 28)),
            (date(2024, 1, 31), 1, 31, date(2024, 2, 29)),
            (date(2025, 2, 28), 1, 31, date(2025, 3, 31)),
            (date(2025, 11, 15), 2, 15, date(2026, 1, 15)),
            (date(2025, 12, 1), 24, 1, date(2027, 12, 1)),
        ],
    )
    def test_ends_with_the_month_where_it_is_short(self, day, months, day_of_month, later):
        assert months_later(day, months, day_of_month=day_of_month) == later


class TestSaveRound:
    @pytest.fixture
    def manager(self, region):
        user = ManagerFactory()
        RegionManager.objects.create(region=region, user=user)
        return Actor(user=user)

    def values(self, region, **more):
        return {"name": "North", "region_id": region.pk, "next_on": date(2025, 1, 31), **more}

    def test_enters_a_round_with_its_stops(self, region, manager):
        meters = meters_in(region, 2)

        saved = save_round(
            round_id=None,
            values=self.values(region, agent_id=AgentFactory(region=region).pk),
            meter_ids=[meters[1].pk, meters[0].pk, meters[1].pk],
            actor=manager,
            now=THEN,
        )

        assert [each.meter for each in saved.stops.order_by("position")] == [meters[1], meters[0]]
        assert saved.day_of_month == 31

    def test_refuses_a_name_that_is_taken(self, region, manager):
        RoundFactory(name="North")

        with pytest.raises(rounds.RoundExists):
            save_round(round_id=None, values=self.values(region), actor=manager, now=THEN)

    def test_refuses_what_is_not_the_managers(self, region, manager):
        elsewhere = RegionFactory()
        for values, meter_ids in (
            (self.values(elsewhere), None),
            (self.values(region, agent_id=AgentFactory(region=elsewhere).pk), None),
            (self.values(region), [MeterFactory(region=elsewhere).pk]),
        ):
            with pytest.raises(rounds.WrongRound):
                save_round(round_id=None, values=values, meter_ids=meter_ids, actor=manager, now=THEN)
        with pytest.raises(NoSuchRound):
            save_round(round_id=RoundFactory().pk, values={}, actor=manager, now=THEN)
        assert Round.objects.count() == 1
