"""What was unusual in somebody's use, as they read and answer it."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.pages.unusual_words import told_of
from meters.insights.models import Anomaly, Baseline
from meters.insights.selectors.shown import unanswered_anomalies
from tests.factories import AccountAccessFactory, AlarmFactory, AnomalyFactory, ManagerFactory, UserFactory
from tests.households import home_of, report

pytestmark = pytest.mark.django_db

# 2023-03-15 12:10 in Singapore, a Wednesday.
NOW = datetime(2023, 3, 15, 4, 10, tzinfo=UTC)
MIDNIGHT = datetime(2023, 3, 14, 16, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Singapore")


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def customer():
    return UserFactory()


@pytest.fixture
def client(customer) -> Client:
    made = Client()
    made.force_login(customer)
    return made


@pytest.fixture
def home(customer):
    """An account whose meter reported."""
    account, register = home_of(customer)
    report(register, start=MIDNIGHT - timedelta(days=2), until=NOW)
    return account


def unusual(account, **facts) -> Anomaly:
    """Make what was unusual from 02:00 to 05:00 of the fifteenth."""
    code = account.bindings.get().service_point.code
    facts = {"start": MIDNIGHT + timedelta(hours=2), "end": MIDNIGHT + timedelta(hours=5), "kind": "night_use"} | facts
    return AnomalyFactory(account=account, subject=code, **facts)


def text_of(page) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def answer(client, anomaly, act, **more):
    return client.post(f"/anomalies/{anomaly.pk}/answer", {"act": act} | more, follow=True)


class TestStrip:
    @pytest.mark.parametrize("path", ["/home", "/usage"])
    def test_says_what_is_unusual_and_leads_there(self, home, client, path):
        anomaly = unusual(home, money=Decimal("0.81"), currency="SGD")

        page = client.get(path)

        told = "More at night 2.8 kWh more than usual: 3.2 kWh instead of 0.4. It costs about SGD 0.81."
        assert told in text_of(page)
        assert f"/anomalies/{anomaly.pk}" in page.content.decode()

    def test_leaves_the_like_out_of_the_alarms(self, home, client):
        alarm = AlarmFactory(account=home, kind="anomaly", text="An alarm of it.")
        unusual(home, alarm=alarm)
        AlarmFactory(account=home, kind="offline", text="A plug is silent.")

        page = text_of(client.get("/home"))

        assert "An alarm of it." not in page
        assert "A plug is silent." in page

    @pytest.mark.parametrize(
        "facts",
        [
            {"state": "acknowledged", "acknowledged_at": NOW},
            {"state": "snoozed", "snoozed_until": NOW + timedelta(hours=1)},
            {"verdict": "real"},
            {"state": "closed", "start": NOW - timedelta(days=9), "end": NOW - timedelta(days=8)},
        ],
    )
    def test_is_silent_about_what_was_answered_put_off_or_is_long_over(self, home, facts):
        unusual(home, **facts)

        assert not unanswered_anomalies(home, now=NOW).exists()

    @pytest.mark.parametrize("facts", [{"state": "closed"}, {"state": "snoozed", "snoozed_until": NOW}])
    def test_tells_of_what_is_over_for_less_than_a_week_and_of_what_was_put_off_until_now(self, home, facts):
        unusual(home, **facts)

        assert unanswered_anomalies(home, now=NOW).exists()

    def test_tells_nobody_elses(self, home, client):
        AnomalyFactory(account=AccountAccessFactory().account)

        assert "Unusual use" not in re.sub(
            r'(?s)<div class="menu-body">.*?</div>', "", client.get("/home").content.decode()
        )


class TestList:
    def test_has_the_newest_first_and_how_each_stands(self, home, client):
        unusual(home)
        unusual(home, start=NOW - timedelta(days=3), end=NOW - timedelta(days=2), state="closed", verdict="normal")

        page = text_of(client.get("/anomalies"))

        assert page.index("Going on") < page.index("It was normal")
        assert "Since 15 March, 02:00" in page
        assert "12 March, 12:10 to 13 March, 12:10" in page

    def test_says_when_there_is_nothing(self, home, client):
        assert "Nothing unusual" in text_of(client.get("/anomalies"))

    def test_takes_as_many_queries_for_many_as_for_one(self, home, client):
        unusual(home)
        client.get("/anomalies")
        with CaptureQueriesContext(connection) as one:
            client.get("/anomalies")
        for hours in range(3, 9):
            unusual(home, start=NOW - timedelta(hours=hours), end=NOW, state="closed")

        with CaptureQueriesContext(connection) as many:
            client.get("/anomalies")

        assert len(many) == len(one)

    def test_is_paged(self, home, client):
        for hours in range(22):
            unusual(home, start=NOW - timedelta(hours=hours + 1), end=NOW, state="closed")

        assert len(client.get("/anomalies").context["told"]) == 20
        assert len(client.get("/anomalies?page=2").context["told"]) == 2

    def test_sends_staff_where_they_belong(self):
        staff = Client()
        staff.force_login(ManagerFactory())

        assert staff.get("/anomalies").url == "/admin/insights/anomaly/"


class TestPage:
    def test_lays_the_day_over_what_is_usual(self, home, client):
        anomaly = unusual(home, end=MIDNIGHT + timedelta(hours=5))
        Baseline.objects.create(
            subject_kind="service_point",
            subject=anomaly.subject,
            zone="Asia/Singapore",
            made_at=NOW,
            until=MIDNIGHT,
            median=[0.1] * 48 * 2 + [0.2] * 48 + [0.1] * 48 * 4,
            spread=[0.05] * 336,
        )

        page = client.get(f"/anomalies/{anomaly.pk}")

        chart = json.loads(
            re.search(r'id="usage-data" type="application/json">(.*?)</script>', page.content.decode())[1]
        )
        assert chart["energy"][:25] == [0.25] * 24 + [None]
        assert chart["expected"]["middle"] == [0.2] * 48
        assert chart["expected"]["high"][0] == pytest.approx(0.2 + 1.2816 * 0.05, abs=0.001)
        assert chart["stretch"] == {"first": 4, "last": 9}
        assert "Usual: about 0.20 kWh (0.14 to 0.26)" in chart["expected"]["words"][0]

    def test_draws_three_days_of_what_lasts_longer(self, home, client):
        anomaly = unusual(home, kind="level_shift", start=MIDNIGHT - timedelta(days=30), end=NOW)

        page = client.get(f"/anomalies/{anomaly.pk}")

        assert len(page.context["drawn"].rows) == 3 * 48
        assert "these are its first three days" in text_of(page)

    def test_draws_nothing_of_a_device(self, home, client):
        anomaly = unusual(home, subject_kind="device")

        assert client.get(f"/anomalies/{anomaly.pk}").context["drawn"] is None

    def test_names_the_device_that_it_is_about(self, home, client):
        anomaly = unusual(home, subject_kind="device", label="Kettle", kind="high")

        assert "Kettle: More than usual" in text_of(client.get(f"/anomalies/{anomaly.pk}"))

    def test_is_nobody_elses(self, client, home):
        anomaly = AnomalyFactory(account=AccountAccessFactory().account)

        assert client.get(f"/anomalies/{anomaly.pk}").status_code == 404
        assert answer(client, anomaly, "normal").status_code == 404

    @pytest.mark.parametrize(
        ("facts", "words"),
        [
            ({"kind": "zero_run"}, "Nothing was used, where 0.4 kWh would be usual."),
            ({"kind": "low", "energy_kwh": Decimal("-0.3")}, "0.3 kWh less than usual: 0.1 kWh instead of 0.4."),
            ({"kind": "shape", "energy_kwh": Decimal("0.01")}, "0.4 kWh in all, as much as usual, but at other times."),
        ],
    )
    def test_says_how_much_it_was(self, home, facts, words):
        assert told_of(unusual(home, **facts), zone=ZONE, now=NOW).amount == words

    @pytest.mark.parametrize("kind", Anomaly.Kind)
    def test_has_a_name_and_advice_for_every_kind(self, home, kind):
        told = told_of(unusual(home, kind=kind), zone=ZONE, now=NOW)

        assert told.name
        assert told.advice.endswith(".")

    @pytest.mark.parametrize(
        ("kind", "energy", "name"),
        [
            ("level_shift", 2, "Use has gone up"),
            ("level_shift", -2, "Use has gone down"),
            ("drift", 2, "Use creeps up"),
            ("drift", -2, "Use goes down slowly"),
        ],
    )
    def test_tells_what_went_up_from_what_went_down(self, home, kind, energy, name):
        told = told_of(unusual(home, kind=kind, energy_kwh=Decimal(energy)), zone=ZONE, now=NOW)

        assert told.name == name
        assert ("Were you away?" in told.advice) == (energy < 0)


class TestAnswer:
    @pytest.mark.parametrize(
        ("act", "change"),
        [
            ("seen", {"state": "acknowledged", "note": "The oven."}),
            ("normal", {"verdict": "normal", "state": "closed", "note": "The oven."}),
            ("real", {"verdict": "real", "state": "open", "note": "The oven."}),
            ("tomorrow", {"state": "snoozed", "snoozed_until": NOW + timedelta(days=1)}),
            ("week", {"state": "snoozed", "snoozed_until": NOW + timedelta(days=7)}),
        ],
    )
    def test_is_kept(self, home, client, act, change):
        anomaly = unusual(home)

        page = answer(client, anomaly, act, note="The oven.")

        anomaly.refresh_from_db()
        assert {name: getattr(anomaly, name) for name in change} == change
        assert page.status_code == 200

    def test_can_be_changed(self, home, client):
        anomaly = unusual(home)
        answer(client, anomaly, "normal")

        page = answer(client, anomaly, "real")

        anomaly.refresh_from_db()
        assert anomaly.verdict == "real"
        assert "You said that something was wrong." in text_of(page)

    def test_takes_no_notice_of_what_is_over(self, home, client):
        anomaly = unusual(home, state="closed")

        assert "It is over by itself." in text_of(answer(client, anomaly, "seen"))

    def test_says_when_somebody_else_takes_care(self, home, client):
        anomaly = unusual(home, state="acknowledged", acknowledged_by=ManagerFactory(), acknowledged_at=NOW)

        assert "Somebody takes care of it already." in text_of(answer(client, anomaly, "seen"))

    def test_comes_back_where_it_is_too_long(self, home, client):
        page = answer(client, unusual(home), "normal", note="x" * 501)

        assert page.status_code == 422
        assert "at most 500 characters" in text_of(page)
