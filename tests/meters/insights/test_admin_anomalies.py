"""Anomalies in the admin."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from meters.insights.models import DetectorModel
from tests.factories import AlarmFactory, AnomalyFactory, ManagerFactory, UserFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 1, 14, tzinfo=UTC)
LIST = "admin:insights_anomaly_changelist"


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager():
    return client_of(ManagerFactory())


def act(client, anomaly, name, **form):
    return client.post(reverse(f"admin:insights_anomaly_{name}", args=[anomaly.pk]), form)


class TestList:
    def test_shows_managers_all_and_operators_those_of_devices(self, manager):
        AnomalyFactory(label="Home of Ada")
        AnomalyFactory(label="Plug of Ada", subject_kind="device")
        operator = client_of(UserFactory(role=Role.OPERATOR))

        to_manager, to_operator = (client.get(reverse(LIST)).content.decode() for client in (manager, operator))

        assert "Home of Ada" in to_manager
        assert "Plug of Ada" in to_manager
        assert "Home of Ada" not in to_operator
        assert "Plug of Ada" in to_operator

    @pytest.mark.parametrize("standing", ["waiting", "open", "over", "unjudged"])
    def test_filters_by_standing(self, manager, standing):
        AnomalyFactory(label="Open one")
        AnomalyFactory(label="Old one", state="closed", closed_at=NOW, verdict="real")

        page = manager.get(reverse(LIST), {"standing": standing}).content.decode()

        assert ("Open one" in page) == (standing != "over")
        assert ("Old one" in page) == (standing == "over")


class TestActs:
    def test_acknowledge_the_alarm_with_it(self, manager):
        anomaly = AnomalyFactory()
        anomaly.alarm = AlarmFactory(kind="anomaly", subject_kind="service_point", subject=anomaly.subject)
        anomaly.save()

        act(manager, anomaly, "acknowledge", note="On it.")

        anomaly.refresh_from_db()
        assert (anomaly.state, anomaly.alarm.state) == ("acknowledged", "acknowledged")

    def test_put_it_off(self, manager):
        anomaly = AnomalyFactory()

        act(manager, anomaly, "snooze", note="Later.", span="4")

        anomaly.refresh_from_db()
        assert anomaly.state == "snoozed"

    def test_say_what_it_was_also_when_it_is_over(self, manager):
        anomaly = AnomalyFactory(state="closed", closed_at=NOW)

        page = manager.get(reverse("admin:insights_anomaly_change", args=[anomaly.pk])).content.decode()
        act(manager, anomaly, "judge", verdict="real", note="")

        anomaly.refresh_from_db()
        assert anomaly.verdict == "real"
        assert "Say what it was" in page
        assert "Snooze" not in page

    def test_judge_several_at_once(self, manager):
        chosen = [AnomalyFactory(), AnomalyFactory()]
        form = {"action": "judge_all", "_selected_action": [str(each.pk) for each in chosen]}

        manager.post(reverse(LIST), {**form, "verdict": "normal", "note": "Festival."})

        assert {each.verdict for each in type(chosen[0]).objects.all()} == {"normal"}


class TestDetectors:
    def test_are_listed_without_their_content(self, manager):
        row = DetectorModel.objects.create(
            version=1,
            seed=1,
            state="active",
            taught_at=NOW,
            taught_until=NOW,
            series=5,
            made_with="scikit-learn",
            content=b"x",
            digest="abc",
            changed_at=NOW,
        )

        assert manager.get(reverse("admin:insights_detectormodel_changelist")).status_code == 200
        assert "abc" in manager.get(reverse("admin:insights_detectormodel_change", args=[row.pk])).content.decode()


class TestScoreboard:
    def test_shows_how_often_anomalies_were_real(self, manager, time_machine):
        time_machine.move_to(NOW, tick=False)
        AnomalyFactory(verdict="real")
        AnomalyFactory(verdict="normal", kind="stuck")

        page = manager.get(reverse("admin:insights_forecastscore_scoreboard")).content.decode()

        assert "50.0 %" in page
        assert "Stuck value" in page
