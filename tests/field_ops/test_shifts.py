"""Shifts, positions, statuses and phones of agents."""

from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from accounts.actors import Actor
from accounts.models import AuditEntry, User
from energy_portal.shared.errors import Invalid
from energy_portal.shared.geo import Spot
from field_ops.models import Agent, AgentPosition, Shift
from field_ops.selectors.agents import NoSuchAgent, NotAnAgent, agent_of, agents_near, agents_now
from field_ops.services.agents import (
    AgentExists,
    NotAnAgentsLogin,
    NotOnShift,
    change_agent,
    create_agent,
    set_status,
)
from field_ops.services.phones import NoSuchPhone, note_seen, phone_of, register_phone, revoke_phone
from field_ops.services.shifts import (
    MOST_FIXES,
    Fix,
    NoFixOfThisShift,
    TooManyFixes,
    end_shift,
    forget_positions,
    record_positions,
    start_shift,
)
from field_ops.tasks import forget_positions as forget_task
from meters.models import RegionManager
from tests.factories import AdminFactory, ManagerFactory, RegionFactory, UserFactory
from tests.field_ops.factories import AgentFactory, AgentUserFactory

NOON = datetime(2025, 3, 10, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent():
    return AgentFactory()


@pytest.fixture
def boss():
    return Actor(user=AdminFactory())


def fix(minutes, latitude=1.35, longitude=103.8, accuracy_m=5.0):
    return Fix(NOON + minutes * MINUTE, latitude, longitude, accuracy_m)


def record(agent, *fixes, at=30):
    return record_positions(agent_id=agent.pk, fixes=fixes, now=NOON + at * MINUTE)


class TestCreateAgent:
    def create(self, user, boss, **values):
        values = {"region_id": None, "max_load": 10, "location_id": "D-7", **values}
        return create_agent(user_id=user.pk, actor=boss, now=NOON, **values)

    def test_lets_a_login_take_work(self, boss):
        region = RegionFactory()

        agent = self.create(AgentUserFactory(), boss, region_id=region.pk)

        agent.refresh_from_db()
        assert (agent.region, agent.max_load, agent.location_id, agent.status) == (region, 10, "D-7", "offline")
        assert AuditEntry.objects.get(action="agent.created").object_id == str(agent.pk)

    def test_is_for_logins_of_agents(self, boss):
        for user in (UserFactory(), User(email="nobody@example.org")):
            with pytest.raises(NotAnAgentsLogin):
                self.create(user, boss)

    def test_makes_one_of_a_login(self, agent, boss):
        with pytest.raises(AgentExists):
            self.create(agent.user, boss)

    @pytest.mark.parametrize(
        "wrong", [{"max_load": -1}, {"location_id": "x" * 65}, {"region_id": RegionFactory.build().pk}]
    )
    def test_refuses_what_breaks_a_rule(self, boss, wrong):
        with pytest.raises(Invalid):
            self.create(AgentUserFactory(), boss, **wrong)


class TestChangeAgent:
    def test_changes_what_is_named(self, agent, boss):
        change_agent(agent_id=agent.pk, changes={"max_load": 3}, actor=boss, now=NOON)

        changed = Agent.objects.get(pk=agent.pk)
        assert (changed.max_load, changed.region) == (3, agent.region)

    @pytest.mark.parametrize("field", ["status", "current_load", "user_id"])
    def test_leaves_what_moves_by_itself(self, agent, boss, field):
        with pytest.raises(Invalid):
            change_agent(agent_id=agent.pk, changes={field: 1}, actor=boss, now=NOON)

    def test_misses_who_is_no_agent(self, boss):
        with pytest.raises(NoSuchAgent):
            change_agent(agent_id=AgentFactory.build().pk, changes={}, actor=boss, now=NOON)


class TestShifts:
    def test_begin_with_available_and_end_with_offline(self, agent):
        start_shift(agent_id=agent.pk, now=NOON)
        on = Agent.objects.get().status
        ended = end_shift(agent_id=agent.pk, now=NOON + MINUTE)

        assert (on, Agent.objects.get().status) == ("available", "offline")
        assert (ended.started_at, ended.ended_at) == (NOON, NOON + MINUTE)

    def test_begin_once_and_keep_what_the_agent_said(self, agent):
        first = start_shift(agent_id=agent.pk, now=NOON)
        set_status(agent_id=agent.pk, status="busy", now=NOON)

        again = start_shift(agent_id=agent.pk, now=NOON + MINUTE)

        assert (again, Agent.objects.get().status) == (first, "busy")
        assert AuditEntry.objects.filter(action="shift.started").count() == 1

    def test_end_once(self, agent):
        assert end_shift(agent_id=agent.pk, now=NOON) is None
        assert not AuditEntry.objects.filter(action="shift.ended").exists()

    def test_never_end_before_they_began(self, agent):
        start_shift(agent_id=agent.pk, now=NOON)

        assert end_shift(agent_id=agent.pk, now=NOON - MINUTE).ended_at == NOON


class TestSetStatus:
    @pytest.mark.parametrize("status", ["busy", "on_break", "available"])
    def test_is_said_on_shift(self, agent, status):
        with pytest.raises(NotOnShift):
            set_status(agent_id=agent.pk, status=status, now=NOON)
        start_shift(agent_id=agent.pk, now=NOON)

        assert set_status(agent_id=agent.pk, status=status, now=NOON).status == status

    @pytest.mark.parametrize("status", ["offline", "asleep"])
    def test_never_says_what_a_shift_says(self, agent, status):
        start_shift(agent_id=agent.pk, now=NOON)

        with pytest.raises(Invalid):
            set_status(agent_id=agent.pk, status=status, now=NOON)


class TestRecordPositions:
    @pytest.fixture(autouse=True)
    def shift(self, agent):
        return start_shift(agent_id=agent.pk, now=NOON)

    def test_keeps_them_with_the_shift(self, agent, shift):
        assert record(agent, fix(1), fix(2, accuracy_m=None)) == 2

        rows = AgentPosition.objects.values_list("shift", "at", "accuracy_m")
        assert list(rows) == [(shift.pk, NOON + MINUTE, 5.0), (shift.pk, NOON + 2 * MINUTE, None)]

    def test_keeps_once_what_is_sent_twice(self, agent):
        record(agent, fix(1), fix(2))

        assert record(agent, fix(1), fix(2), fix(3), fix(3)) == 1
        assert AgentPosition.objects.count() == 3

    def test_moves_the_agent_only_forward_in_time(self, agent):
        record(agent, fix(10, latitude=1.1))
        record(agent, fix(5, latitude=1.2))

        agent.refresh_from_db()
        assert (agent.latitude, agent.longitude, agent.accuracy_m) == (1.1, 103.8, 5.0)
        assert agent.located_at == NOON + 10 * MINUTE

    def test_takes_none_off_shift(self, agent):
        end_shift(agent_id=agent.pk, now=NOON + MINUTE)

        with pytest.raises(NotOnShift):
            record(agent, fix(0))
        assert not AgentPosition.objects.exists()

    def test_leaves_out_what_is_of_before_the_shift_or_ahead(self, agent):
        assert record(agent, fix(-1), fix(3), fix(36), at=30) == 1

        with pytest.raises(NoFixOfThisShift) as caught:
            record(agent, fix(-1), fix(36), at=30)
        assert [(error.index, error.code) for error in caught.value.errors] == [(0, "before_shift"), (1, "in_future")]

    def test_takes_so_many_at_once(self, agent):
        with pytest.raises(TooManyFixes):
            record(agent, *[fix(0)] * (MOST_FIXES + 1))

    def test_costs_the_same_however_many(self, agent, django_assert_max_num_queries):
        with django_assert_max_num_queries(8):
            record(agent, *[fix(n / 100) for n in range(MOST_FIXES)])


class TestForgetPositions:
    def test_forgets_what_is_older_than_stated(self, agent, settings):
        settings.AGENT_POSITION_DAYS = 2
        start_shift(agent_id=agent.pk, now=NOON)
        record(agent, fix(0), fix(10))

        kept = forget_positions(now=NOON + timedelta(days=2, minutes=5))
        agent.refresh_from_db()
        standing = agent.located_at
        gone = forget_positions(now=NOON + timedelta(days=3))

        agent.refresh_from_db()
        assert (kept, standing, gone) == (1, NOON + 10 * MINUTE, 1)
        assert (agent.latitude, agent.longitude, agent.accuracy_m, agent.located_at) == (None,) * 4
        assert Shift.objects.exists()

    def test_is_done_by_a_task(self, agent):
        start_shift(agent_id=agent.pk, now=NOON)
        record(agent, fix(0))

        forget_task()

        assert not AgentPosition.objects.exists()


class TestPhones:
    def test_are_known_by_a_key_that_nobody_stored(self, agent):
        phone, key = register_phone(agent_id=agent.pk, name="Firefox " * 50, now=NOON)

        assert phone_of(key) == phone
        assert key not in (phone.key_hash, phone.name)
        assert [phone_of(other) for other in ("", key[:-1], "é")] == [None] * 3

    def test_open_nothing_once_they_are_revoked(self, agent, boss):
        phone, key = register_phone(agent_id=agent.pk, name="", now=NOON)
        epoch = agent.user.login_epoch

        for minutes in (1, 2):
            revoke_phone(phone_id=phone.pk, actor=boss, now=NOON + minutes * MINUTE)

        phone.refresh_from_db()
        agent.user.refresh_from_db()
        assert (phone_of(key), phone.revoked_at) == (None, NOON + MINUTE)
        assert agent.user.login_epoch == epoch + 1

    def test_are_not_revoked_where_there_is_none(self, boss):
        with pytest.raises(NoSuchPhone):
            revoke_phone(phone_id=AgentFactory.build().pk, actor=boss, now=NOON)

    def test_are_seen_to_some_minutes(self, agent):
        phone, _ = register_phone(agent_id=agent.pk, name="", now=NOON)
        seen = []
        for minutes in (1, 6):
            note_seen(phone=phone, now=NOON + minutes * MINUTE)
            phone.refresh_from_db()
            seen.append(phone.seen_at)

        assert seen == [NOON, NOON + 6 * MINUTE]


class TestSelectors:
    def test_know_the_agent_of_a_login(self, agent):
        assert agent_of(agent.user) == agent

    def test_know_no_agent_of_others(self, agent):
        changed = AgentFactory(user__role="manager").user
        for user in (changed, AgentUserFactory(), AdminFactory(), AgentFactory(user__status="suspended").user):
            with pytest.raises(NotAnAgent):
                agent_of(user)

    def test_tell_who_is_on_shift_of_those_that_somebody_looks_after(self, agent):
        other, off, suspended = AgentFactory(), AgentFactory(), AgentFactory(user__status="suspended")
        for each in (agent, other, suspended):
            start_shift(agent_id=each.pk, now=NOON)
        manager = ManagerFactory()
        RegionManager.objects.create(region=agent.region, user=manager)

        assert set(agents_now(AdminFactory())) == {agent, other}
        assert list(agents_now(manager)) == [agent]
        assert list(agents_now(off.user)) == []

    def test_tell_who_was_seen_nearest(self, agent):
        for each, longitude in ((agent, 103.801), (AgentFactory(), 103.8), (AgentFactory(), 104.8)):
            start_shift(agent_id=each.pk, now=NOON)
            record(each, fix(1, longitude=longitude))

        near = agents_near(spot=Spot(1.35, 103.8), radius_m=1_000, user=AdminFactory(), limit=5)

        assert [round(each.distance_m) for each in near] == [0, 111]
        assert near[1].agent == agent


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_of_two_starts_make_one_shift(self):
        agent, together, started = AgentFactory(), Barrier(4), []

        def start():
            together.wait()
            started.append(start_shift(agent_id=agent.pk, now=NOON).pk)
            connection.close()

        threads = [Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert started == [Shift.objects.get().pk] * 4
