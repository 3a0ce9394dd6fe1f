"""The approval queue in the admin."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor
from field_ops.models import ApprovalRequest
from field_ops.services import deciding
from meters.models import RegionManager
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import AdminFactory, InstallationFactory, ManagerFactory
from tests.field_ops.factories import ApprovalRequestFactory

pytestmark = pytest.mark.django_db
QUEUE = reverse("admin:field_ops_approvalrequest_queue")
BULK = reverse("admin:field_ops_approvalrequest_queue_bulk")
PART = {"HX-Request": "true"}


def client_of(user) -> Client:
    client = Client(headers=PART)
    client.force_login(user)
    return client


def waiting(*, minutes: int = 0, **fields):
    """Make a request whose meter hangs, sent some minutes after the first."""
    now = timezone.now()
    made = ApprovalRequestFactory(submitted_at=now - timedelta(hours=5) + timedelta(minutes=minutes), **fields)
    made.submission.read_at = now - timedelta(hours=6)
    made.submission.save()
    InstallationFactory(meter=made.meter)
    return made


def decide(client, request, verdict, **sent):
    path = reverse("admin:field_ops_approvalrequest_queue_decide", args=[request.pk, verdict])
    return client.post(path, {"level": 1, **sent})


def at(answer):
    return answer.context["at"]


@pytest.fixture
def manager():
    return ManagerFactory()


@pytest.fixture
def client(manager):
    return client_of(manager)


class TestQueue:
    def test_opens_at_the_request_that_waits_longest(self, client):
        second, first = waiting(minutes=2), waiting(minutes=1)

        answer = client.get(QUEUE)

        assert at(answer) == first.pk
        assert [row.pk for row in answer.context["rows"]] == [first.pk, second.pk]
        assert (answer.context["before"], answer.context["after"]) == (None, second.pk)

    def test_shows_a_page_without_scripts(self, manager):
        request = waiting()
        browser = Client()
        browser.force_login(manager)

        page = browser.get(QUEUE)

        assert request.meter.serial in page.text
        assert "</html>" in page.text

    def test_says_so_when_nothing_waits(self, client):
        assert "Nothing waits for you" in client.get(QUEUE).text

    def test_leaves_out_other_regions_and_the_second_level_of_managers(self, client, manager):
        mine, second = waiting(), waiting(risk="high", levels_needed=2, levels_done=1, status="under_review")
        RegionManager.objects.create(region=mine.agent.region, user=manager)
        RegionManager.objects.create(region=second.agent.region, user=manager)
        waiting()

        listed = client.get(QUEUE).context["rows"]
        by_admin = client_of(AdminFactory()).get(QUEUE, {"show": "second"}).context["rows"]

        assert listed == [mine]
        assert by_admin == [second]

    def test_tells_who_may_not_decide_why(self, client):
        second = waiting(risk="high", levels_needed=2, levels_done=1, status="under_review")

        answer = client.get(QUEUE, {"at": second.pk})

        assert "An admin decides the second level." in answer.text
        assert "data-decide" not in answer.text

    def test_writes_evidence_and_reasons_in_words(self, client):
        request = waiting(
            risk="high",
            levels_needed=2,
            risk_reasons=["far_from_meter", "photo_looks_like_another"],
            evidence={
                "age": {"seconds": 7_500},
                "position": {"distance_m": 1340.0, "accuracy_m": 8.5, "allowed_m": 108.5},
                "photo": {"is_sent": True, "twins": [{"meter": "SG-7", "submission": "", "bits": 3}]},
                "ocr": {"state": "checked", "agrees": False, "texts": ["01284", "kWh"]},
                "serial": {"given": "X1", "expected": "SG-1", "matches": False, "other_meter": ""},
                "range": {"is_known": True, "low": "1200", "high": "1230.5", "grown": "40"},
            },
            meter_data={
                "points": [["2025-01-01T00:00:00Z", "1100"], ["2025-02-01T00:00:00Z", "1150"]],
                "last_readings": [{"time": "2025-02-01T00:00:00Z", "value": "1150", "quality": 18}],
            },
        )

        text = client.get(QUEUE, {"at": request.pk}).text

        for words in (
            "The agent stood far from the meter.",
            "1.3 km; 108 m or less is near",
            "Alike but for 3 of 64 bits: of SG-7",
            "X1, typed: it is not SG-1",
            "1,200 to 1,230.5 kWh, by its own past",
            "2 h 5 min after it was read",
            "It shows something else: 01284, kWh",
            "1150.000 kWh",
            "<polyline",
        ):
            assert words in text, words

    @pytest.mark.parametrize(
        ("seen", "words"),
        [
            ({}, "Not checked"),
            ({"state": "waiting"}, "Being read just now"),
            ({"state": "checked", "agrees": True}, "It shows the value"),
            ({"state": "checked", "agrees": None}, "Nothing on it looks like a dial"),
        ],
    )
    def test_says_what_the_machine_read(self, client, seen, words):
        request = waiting(evidence={"ocr": seen})

        answer = client.get(QUEUE)

        assert words in answer.text
        assert answer.context["together"] == (set() if seen.get("state") == "waiting" else {request.pk})

    def test_takes_as_many_queries_for_30_requests_as_for_3(self, client):
        for number in range(3):
            waiting(minutes=number)
        client.get(QUEUE)
        with CaptureQueriesContext(connection) as few:
            client.get(QUEUE)
        for number in range(27):
            waiting(minutes=10 + number)
        with CaptureQueriesContext(connection) as many:
            assert len(client.get(QUEUE).context["rows"]) == 30

        assert len(many) == len(few)


class TestDecisions:
    def test_enter_the_reviewers_value_and_lead_to_the_next(self, client, manager):
        first, second = waiting(minutes=1), waiting(minutes=2)

        answer = decide(client, first, "approve", value="1234.7")

        first.refresh_from_db()
        assert (first.status, first.reviewer) == ("approved", manager)
        assert first.decisions.get().value == Decimal("1234.7")
        assert first.submission.value == Decimal("1234.5")
        assert at(answer) == second.pk
        assert f"{first.meter.serial}: approved." in answer.text

    def test_say_that_a_second_level_follows(self, client):
        high = waiting(risk="high", levels_needed=2)

        answer = decide(client, high, "approve")

        assert "an admin decides the second" in answer.text
        assert "Nothing waits for you" in answer.text

    @pytest.mark.parametrize(("verdict", "status"), [("reject", "rejected"), ("return", "returned")])
    def test_that_do_not_approve_want_a_note(self, client, verdict, status):
        request = waiting()

        refused = decide(client, request, verdict, notes=" ")

        assert at(refused) == request.pk
        assert "Say w" in refused.text
        assert request.decisions.count() == 0

        decide(client, request, verdict, notes="The photo is blurred.")

        request.refresh_from_db()
        assert (request.status, request.review_notes) == (status, "The photo is blurred.")

    def test_of_somebody_else_meanwhile_are_told(self, client):
        first, second = waiting(minutes=1), waiting(minutes=2)
        other = AdminFactory(name="Ada Admin")
        deciding.reject(request_id=first.pk, notes="No.", actor=Actor(user=other), now=timezone.now())

        answer = decide(client, first, "approve")

        assert answer.status_code == 200
        assert "Ada Admin has decided on" in answer.text
        assert at(answer) == second.pk

    def test_that_the_door_refuses_keep_what_was_typed(self, client):
        request = waiting()
        day_before = request.submission.read_at.replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
        higher = OfferedReading(request.meter.serial, day_before, Decimal(2000))
        assert receive_readings(readings=[higher], actor=Actor(), now=timezone.now()).stored == 1

        answer = decide(client, request, "approve", notes="Looks right.")

        assert at(answer) == request.pk
        assert 'role="alert"' in answer.text
        assert "Looks right." in answer.text
        assert request.decisions.count() == 0

    def test_without_scripts_lead_back_to_the_queue(self, manager):
        request = waiting()
        browser = Client()
        browser.force_login(manager)

        answer = decide(browser, request, "approve")

        assert answer.status_code == 302
        assert answer.url == QUEUE

    def test_are_refused_to_who_sees_no_such_request(self, client, manager):
        mine, other = waiting(), waiting()
        RegionManager.objects.create(region=mine.agent.region, user=manager)

        answer = decide(client, other, "approve")

        assert "There is no such request." in answer.text
        assert other.decisions.count() == 0


class TestBulk:
    def test_approves_low_risk_and_says_what_it_left_out(self, client):
        low, audited, high = waiting(), waiting(is_audited=True), waiting(risk="high", levels_needed=2)

        answer = client.post(BULK, {"ids": [low.pk, audited.pk, high.pk, "no id"]})

        approved = ApprovalRequest.objects.filter(status="approved")
        assert list(approved) == [low]
        assert "1 approved together." in answer.text
        assert f"{audited.meter.serial}: Chance chose it" in answer.text
        assert f"{high.meter.serial}: It is of high risk" in answer.text

    def test_asks_for_a_choice(self, client):
        assert "Choose requests of low risk first." in client.post(BULK, {}).text


class TestList:
    def test_tells_what_became_of_the_request_that_is_looked_at(self, client):
        request = waiting()
        path = reverse("admin:field_ops_approvalrequest_queue_list")
        sent = {"at": request.pk, "level": 1}

        before = client.get(path, sent)
        deciding.approve(request_id=request.pk, actor=Actor(user=AdminFactory(name="Ada")), now=timezone.now())
        after = client.get(path, sent)

        assert before.context["meanwhile"] == ""
        assert "Ada has decided on" in after.text
