"""Managers give out work, plan rounds, look after agents, and send them where a reading is doubted."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from field_ops.models import Agent, Assignment, Phone, Round
from meters.models import ReadingException, RegionManager, RegisterState
from tests.factories import ManagerFactory, MeterFactory, RegionFactory, RegisterFactory
from tests.field_ops.factories import THEN, AgentFactory, AgentUserFactory, AssignmentFactory, RoundFactory

pytestmark = pytest.mark.django_db
ASSIGN = reverse("admin:field_ops_assignment_assign")
GIVE = reverse("admin:field_ops_assignment_give")
PROPOSE = reverse("admin:field_ops_assignment_propose")
CONFIRM = reverse("admin:field_ops_assignment_confirm")
WORK = reverse("admin:field_ops_assignment_changelist")


@pytest.fixture
def manager():
    return ManagerFactory()


@pytest.fixture
def client(manager):
    browser = Client()
    browser.force_login(manager)
    return browser


@pytest.fixture
def region():
    return RegionFactory()


def placed(region, **fields):
    return MeterFactory(region=region, latitude=region.latitude, longitude=region.longitude, **fields)


def act(client, action, rows, **sent):
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows], "is_answer": "1", **sent}
    return client.post(WORK, body, follow=True)


def page_of(row, page="change"):
    return reverse(f"admin:field_ops_{row._meta.model_name}_{page}", args=[row.pk])


class TestChoosing:
    def test_lists_active_meters_without_open_work_the_longest_unread_first(self, client, region):
        read, never = placed(region), placed(region)
        RegisterState.objects.create(register=RegisterFactory(meter=read), last_time=THEN)
        AssignmentFactory(meter=placed(region))
        placed(region, status="inactive")

        rows = client.get(ASSIGN).context["meters"]

        assert [row["meter"] for row in rows] == [never, read]

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"work": "overdue"}, {"late"}),
            ({"work": "unassigned"}, {"waits"}),
            ({"work": "any"}, {"late", "waits", "urgent", "new"}),
            ({"work": "none", "priority": "critical"}, {"urgent"}),
            ({"work": "none", "read_before": "2025-03-10"}, {"urgent"}),
            ({"work": "any", "serial": "wa"}, {"waits"}),
        ],
    )
    def test_is_narrowed_down(self, client, region, asked, found):
        AssignmentFactory(meter=placed(region, serial="late"), status="overdue")
        AssignmentFactory(meter=placed(region, serial="waits"), agent=None)
        placed(region, serial="urgent", priority="critical")
        fresh = RegisterFactory(meter=placed(region, serial="new"))
        RegisterState.objects.create(register=fresh, last_time=datetime(2025, 3, 20, tzinfo=UTC))

        rows = client.get(ASSIGN, asked).context["meters"]

        assert {row["meter"].serial for row in rows} == found

    def test_offers_what_lies_in_the_regions_of_a_manager(self, client, manager, region):
        mine = placed(region)
        placed(RegionFactory())
        RegionManager.objects.create(region=region, user=manager)

        page = client.get(ASSIGN)

        assert [row["meter"] for row in page.context["meters"]] == [mine]
        assert list(page.context["form"].fields["region"].queryset) == [region]

    def test_takes_as_many_queries_for_30_meters_as_for_3(self, client, region):
        for _ in range(3):
            placed(region)
        client.get(ASSIGN)
        with CaptureQueriesContext(connection) as few:
            client.get(ASSIGN)
        for _ in range(27):
            placed(region)
        with CaptureQueriesContext(connection) as many:
            assert len(client.get(ASSIGN).context["meters"]) == 30

        assert len(many) == len(few)


class TestGiving:
    def test_gives_the_chosen_meters_to_one_agent(self, client, region):
        agent, meters = AgentFactory(region=region), [placed(region), placed(region)]

        answer = client.post(GIVE, {"meters": [each.pk for each in meters], "agent": agent.pk}, follow=True)

        assert "2 given out." in answer.text
        assert set(Assignment.objects.filter(agent=agent).values_list("meter", flat=True)) == {m.pk for m in meters}

    def test_leads_back_when_nothing_was_chosen(self, client):
        answer = client.post(GIVE, {"query": "work=any"})

        assert answer.url == f"{ASSIGN}?work=any"


class TestProposing:
    def test_gives_out_nothing_until_it_is_confirmed_as_it_was_adjusted(self, client, region):
        near, other = AgentFactory(region=region), AgentFactory(region=region)
        meters = [placed(region) for _ in range(3)]
        keys = [each.pk for each in meters]

        page = client.post(PROPOSE, {"meters": keys, "agents": [near.pk]})

        assert [way["agent"] for way in page.context["ways"]] == [near]
        assert page.context["placed"] == 3
        assert Assignment.objects.count() == 0

        sent = {f"agent-{keys[0]}": near.pk, f"agent-{keys[1]}": other.pk, f"agent-{keys[2]}": ""}
        due_on = (timezone.localdate() + timedelta(days=3)).isoformat()
        done = client.post(CONFIRM, {"meters": keys, "due_on": due_on, **sent}, follow=True)

        assert "2 given out." in done.text
        assert dict(Assignment.objects.values_list("meter", "agent")) == {keys[0]: near.pk, keys[1]: other.pk}
        assert {f"{timezone.localtime(each.due_at):%Y-%m-%d %H:%M}" for each in Assignment.objects.all()} == {
            f"{due_on} 23:59"
        }

    def test_says_why_nobody_takes_a_meter(self, client, region):
        AgentFactory(region=region, max_load=0)

        page = client.post(PROPOSE, {"meters": [placed(region).pk]})

        assert "Nobody has room for it." in page.text

    def test_tells_what_somebody_else_gave_out_meanwhile(self, client, region):
        agent, meter = AgentFactory(region=region), placed(region)
        AssignmentFactory(meter=meter, agent=agent)

        done = client.post(CONFIRM, {"meters": [meter.pk], f"agent-{meter.pk}": agent.pk}, follow=True)

        assert "1 left out: It has an open assignment already." in done.text


class TestAssignments:
    def test_are_given_to_somebody_else_with_a_reason(self, client, region):
        work, other = AssignmentFactory(), AgentFactory(region=region)

        answer = act(client, "give_all", [work], agent=other.pk, reason="Ill today.")

        work.refresh_from_db()
        assert "1 changed." in answer.text
        assert work.agent == other
        assert work.steps.get().reason == "Ill today."

    def test_are_cancelled_with_a_reason_but_not_while_they_are_in_review(self, client):
        work, in_review = AssignmentFactory(), AssignmentFactory(status="in_progress", is_in_review=True)

        answer = act(client, "cancel_all", [work, in_review], note="Demolished.")

        work.refresh_from_db()
        assert (work.status, work.closing_reason) == ("cancelled", "Demolished.")
        assert "1 left as they were: Decide first on what was sent for it." in answer.text

    @pytest.mark.parametrize(("started_at", "status"), [(None, "pending"), (THEN, "in_progress")])
    def test_are_on_time_again_once_they_are_put_off(self, client, started_at, status):
        work = AssignmentFactory(status="overdue", due_at=THEN, started_at=started_at)
        day = (timezone.localdate() + timedelta(days=5)).isoformat()

        act(client, "postpone_all", [work], due_on=day, note="Rain.")

        work.refresh_from_db()
        assert work.status == status
        assert f"{timezone.localtime(work.due_at):%Y-%m-%d %H:%M}" == f"{day} 23:59"
        assert work.steps.get().act == "postponed"

    def test_ask_for_a_reason_first(self, client):
        work = AssignmentFactory()

        body = {"action": "cancel_all", "_selected_action": [str(work.pk)]}
        page = client.post(WORK, body)

        work.refresh_from_db()
        assert "Nobody reads these meters then" in page.text
        assert work.status == "pending"


class TestAgents:
    def test_are_made_of_a_login_and_changed(self, client, region):
        user = AgentUserFactory()
        AgentFactory()
        sent = {"user": user.pk, "region": region.pk, "location_id": "D1", "max_load": "12"}

        client.post(reverse("admin:field_ops_agent_add"), sent)

        agent = Agent.objects.get(user=user)
        assert (agent.region, agent.location_id, agent.max_load) == (region, "D1", 12)

        forms = {"phones-TOTAL_FORMS": "0", "phones-INITIAL_FORMS": "0"}
        client.post(page_of(agent), {"region": "", "location_id": "D1", "max_load": "9", **forms})

        agent.refresh_from_db()
        assert (agent.region, agent.max_load) == (None, 9)

    def test_who_lost_a_phone_have_it_revoked(self, client):
        agent = AgentFactory()
        phone = Phone.objects.create(agent=agent, key_hash="a" * 64, created_at=THEN, seen_at=THEN)

        client.post(page_of(agent).replace("/change/", "/revoke-phones/"))

        phone.refresh_from_db()
        assert phone.revoked_at is not None


class TestRounds:
    def test_are_entered_with_their_stops_and_made_at_once(self, client, region):
        meters = [placed(region), placed(region)]
        sent = {"name": "East", "region": region.pk, "agent": "", "every_months": "2", "days_to_finish": "14"}
        stops = "\n".join(each.serial for each in meters)
        day = (timezone.localdate() + timedelta(days=20)).isoformat()

        client.post(reverse("admin:field_ops_round_add"), {**sent, "next_on": day, "is_active": "on", "stops": stops})

        repeated = Round.objects.get(name="East")
        assert list(repeated.stops.values_list("meter", flat=True)) == [each.pk for each in meters]

        make = page_of(repeated).replace("/change/", "/make/")
        client.post(make)
        again = client.post(make)

        repeated.refresh_from_db()
        assert Assignment.objects.filter(round_run__round=repeated).count() == 2
        assert repeated.next_on.isoformat() == day
        assert "was made today already" in again.text

    def test_name_the_serials_that_nobody_knows(self, client, region):
        repeated = RoundFactory(region=region)
        forms = {"runs-TOTAL_FORMS": "0", "runs-INITIAL_FORMS": "0"}
        sent = {"name": "East", "region": region.pk, "every_months": "2", "next_on": "2026-01-01"}

        page = client.post(page_of(repeated), {**sent, "days_to_finish": "3", "stops": "nope", **forms})

        assert "No meter of yours is called nope." in page.text


class TestExceptions:
    def test_have_somebody_sent_to_the_meter(self, client, region):
        agent = AgentFactory(region=region, latitude=region.latitude, longitude=region.longitude)
        register = RegisterFactory(meter=placed(region))
        found = ReadingException.objects.create(register=register, time=THEN, code="high", opened_at=THEN)
        page = reverse("admin:meters_readingexception_change", args=[found.pk])

        assert "Send an agent" in client.get(page).text
        answer = client.post(page.replace("/change/", "/send/"), follow=True)

        assert "1 given to an agent." in answer.text
        work = Assignment.objects.get(meter=register.meter)
        assert (work.agent, work.origin) == (agent, "exception")

    def test_say_why_nobody_was_sent(self, client, region):
        register = RegisterFactory(meter=placed(region))
        AssignmentFactory(meter=register.meter)
        found = ReadingException.objects.create(register=register, time=THEN, code="high", opened_at=THEN)
        body = {"action": "send_agents", "_selected_action": [str(found.pk)], "is_answer": "1"}

        answer = client.post(reverse("admin:meters_readingexception_changelist"), body, follow=True)

        assert "It has an open assignment already." in answer.text


class TestFrontPage:
    def test_counts_field_work_and_shows_who_is_on_shift(self, client):
        AssignmentFactory(status="overdue")
        AssignmentFactory(agent=None, meter=MeterFactory())

        page = client.get(reverse("admin:index"))

        field = page.context["field"]
        assert (field.overdue, field.unassigned, field.open, field.waiting) == (1, 1, 2, 0)
        assert "Agents on shift" in page.text
