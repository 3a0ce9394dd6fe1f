"""How forecasts did, for those who may know: made of sums, in pages, by a fixed number of queries."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.roles import Role, Scope
from meters.insights.models import ForecastScore
from meters.insights.tallies import NAMES
from meters.models import RegionManager
from tests.factories import (
    AccountAccessFactory,
    ForecastFactory,
    ForecastModelFactory,
    ManagerFactory,
    RegionFactory,
    ScoreDayFactory,
    UserFactory,
)
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 10, 4, tzinfo=UTC)
DAY = date(2025, 3, 1)
PATH = "/api/v1/scoreboard"
HOMES = "service_point:household"


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def manager():
    return client_of(ManagerFactory())


def rows(client, **query):
    answer = client.get(PATH, query)
    assert answer.status_code == 200, answer.json()
    return answer.json()["results"]


def score(subject, *, error=4.8, account=None, region=None, **more) -> ForecastScore:
    """Store the score of a day of one forecast, as the factory of sums makes one."""
    sums = ScoreDayFactory.build()
    values = {name: getattr(sums, name) for name in NAMES} | {"absolute_error": error}
    kind = more.pop("subject_kind", "service_point")
    day = more.pop("day", DAY)
    origin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    forecast = ForecastFactory(subject=subject, subject_kind=kind, account=account, region=region, origin=origin)
    named = {"forecaster": "blend", "is_told": True, "cohort": "service_point:household", "quantity": "energy_kwh"}
    return ForecastScore.objects.create(
        forecast=forecast, day=day, scored_at=NOW, **{**values, **named, "day_ahead": 1, **more}
    )


class TestFigures:
    def test_are_made_of_the_sums_of_a_period(self, manager):
        ScoreDayFactory(day=DAY)
        ScoreDayFactory(
            day=DAY + timedelta(days=1),
            truth=4.8,
            truth_size=4.8,
            mean=9.6,
            median=4.8,
            absolute_error=4.8,
            measured_error=4.8,
            usual_error=2.4,
            scaled_error=96.0,
            compared_error=4.8,
            naive_error=2.4,
            inside=48,
        )

        (row,) = rows(manager)

        assert (row["cohort"], row["forecaster"], row["day_ahead"]) == ("service_point:household", "blend", 1)
        assert (row["forecasts"], row["half_hours"]) == (2, 96)
        assert row["nmae"] == pytest.approx(9.6 / 52.8)
        assert row["mase"] == pytest.approx((0.5 + 2.0) / 2)
        assert row["mase_pooled"] == pytest.approx(9.6 / 12.0)
        assert row["bias"] == pytest.approx(57.6 / 52.8 - 1)
        assert row["bias_of_median"] == pytest.approx(50.4 / 52.8 - 1)
        assert row["coverage"] == pytest.approx(86 / 96)
        assert row["skill"] == pytest.approx(1 - 9.6 / 12.0)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, {"blend", "week_naive"}),
            ({"forecaster": "blend"}, {"blend"}),
            ({"told": "false"}, {"week_naive"}),
            ({"day_ahead": "2"}, set()),
            ({"cohort": "battery"}, set()),
            ({"region": "East"}, {"blend"}),
            ({"first": "2025-03-02"}, {"week_naive"}),
            ({"until": "2025-03-02"}, {"blend"}),
            ({"version": "3"}, {"blend"}),
            ({"quantity": "soc_percent"}, set()),
        ],
    )
    def test_are_of_what_was_asked_for(self, manager, query, expected):
        ScoreDayFactory(region=RegionFactory(name="East"), model=ForecastModelFactory(version=3))
        ScoreDayFactory(forecaster="week_naive", is_told=False, day=DAY + timedelta(days=3))

        assert {row["forecaster"] for row in rows(manager, **query)} == expected

    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            ("cohort", [("battery", None, 0), ("service_point:household", None, 0)]),
            (
                "model",
                [("battery", None, 0), ("service_point:household", None, 1), ("service_point:household", None, 2)],
            ),
            (
                "day",
                [("battery", "2025-03-01", 0)] + [("service_point:household", f"2025-03-0{day}", 0) for day in (1, 2)],
            ),
            ("forecaster", [("", None, 0), ("", None, 0)]),
        ],
    )
    def test_are_told_by_what_was_asked_for(self, manager, by, expected):
        for version in (1, 2):
            model = ForecastModelFactory(version=version, state="retired")
            ScoreDayFactory(day=DAY + timedelta(days=version - 1), model=model)
        ScoreDayFactory(cohort="battery", quantity="soc_percent")

        assert [(row["cohort"], row["day"], row["version"]) for row in rows(manager, by=by)] == expected

    def test_of_subjects_come_from_their_own_scores(self, manager):
        for day in (DAY, DAY + timedelta(days=1)):
            score("SP-2", day=day)
            score("SP-1", day=day, error=9.6)

        found = rows(manager, by="subject")

        assert [(row["subject"], row["nmae"], row["forecasts"]) for row in found] == [
            ("SP-1", pytest.approx(0.2), 2),
            ("SP-2", pytest.approx(0.1), 2),
        ]
        assert [row["subject"] for row in rows(manager, subject="SP-2", by="subject")] == ["SP-2"]

    @pytest.mark.parametrize("query", [{"first": "2025-03-10", "until": "2025-03-10"}, {"first": "2023-01-01"}])
    def test_are_of_some_days_and_not_of_too_many(self, manager, query):
        answer = manager.get(PATH, query)

        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_period")

    def test_of_before_all_calendars_are_none(self, manager):
        assert rows(manager, until="0001-01-10") == []


class TestPages:
    @pytest.mark.parametrize("by", ["cohort", "day", "subject", "model"])
    def test_lead_through_all_rows_and_back(self, manager, by):
        for number in range(7):
            ScoreDayFactory(
                day=DAY + timedelta(days=number % 3), cohort=f"service_point:c{number}", day_ahead=1 + number % 2
            )
            score(f"SP-{number}")
            score(f"SP-{number}", day_ahead=2, forecaster="other", day=DAY + timedelta(days=1))
        whole = rows(manager, by=by)
        assert len(whole) >= 7

        found, url = [], f"{PATH}?by={by}&page_size=3"
        while url:
            page = manager.get(url).json()
            found, last, url = found + page["results"], page, page["next"]
        back = manager.get(last["previous"]).json()["results"]

        assert found == whole
        assert back == whole[-len(last["results"]) - 3 : -len(last["results"])]

    def test_do_not_end_where_subjects_without_a_score_come(self, manager):
        for number in range(5):
            ForecastFactory(subject=f"SP-{number}")
        score("SP-9")

        assert [row["subject"] for row in rows(manager, by="subject", page_size=2)] == ["SP-9"]

    def test_refuse_a_cursor_of_another_board(self, manager):
        for number in range(3):
            ScoreDayFactory(cohort=f"c{number}")
        url = manager.get(PATH, {"page_size": 1}).json()["next"]

        answer = manager.get(url + "&by=day")

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")

    def test_come_as_a_file(self, manager):
        ScoreDayFactory()

        answer = manager.get(PATH, {"format": "csv"})

        (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
        assert (row["cohort"], row["mase"]) == ("service_point:household", "0.5")

    @pytest.mark.parametrize("by", ["cohort", "subject"])
    def test_ask_the_same_number_of_questions_for_any_length(self, manager, by, django_assert_max_num_queries):
        for number in range(12):
            ScoreDayFactory(cohort=f"c{number}")
            score(f"SP-{number}")

        with django_assert_max_num_queries(3):
            assert len(rows(manager, by=by)) == 12


class TestVisibility:
    @pytest.fixture(autouse=True)
    def scores(self):
        self.east = RegionFactory(name="East")
        self.access = AccountAccessFactory()
        ScoreDayFactory(cohort="service_point:household", region=self.east)
        ScoreDayFactory(cohort="service_point:small_business", region=RegionFactory(name="West"))
        ScoreDayFactory(cohort="device")
        ScoreDayFactory(cohort="portal")
        score("SP-1", account=self.access.account, region=self.east)
        score("plug", subject_kind="device", cohort="device")

    def cohorts(self, client) -> set[str]:
        return {row["cohort"] for row in rows(client)}

    def test_each_role_sees_what_is_theirs(self):
        everything = {"service_point:household", "service_point:small_business", "device", "portal"}
        regional = ManagerFactory()
        RegionManager.objects.create(region=self.east, user=regional)

        assert self.cohorts(client_of(ManagerFactory())) == everything
        assert self.cohorts(client_of(UserFactory(role=Role.ADMIN))) == everything
        assert self.cohorts(client_of(scopes=[Scope.QUERIES])) == everything
        assert self.cohorts(client_of(regional)) == {"service_point:household", "portal"}
        assert self.cohorts(client_of(UserFactory(role=Role.OPERATOR))) == {"device"}
        assert self.cohorts(client_of(self.access.user)) == {"service_point:household"}
        assert self.cohorts(client_of(UserFactory())) == set()
        assert self.cohorts(client_of(UserFactory(role=Role.AGENT))) == set()

    def test_single_subjects_are_as_private_as_their_forecasts(self):
        def subjects(client):
            return {row["subject"] for row in rows(client, by="subject")}

        assert subjects(client_of(self.access.user)) == {"SP-1"}
        assert subjects(client_of(UserFactory())) == set()
        assert subjects(client_of(UserFactory(role=Role.OPERATOR))) == {"plug"}
        assert subjects(client_of(scopes=[Scope.QUERIES])) == {"SP-1", "plug"}
        assert rows(client_of(UserFactory()), by="day", subject="SP-1") == []

    def test_nobody_else_is_let_in(self):
        assert client_of().get(PATH).status_code == 401
        assert client_of(scopes=[Scope.READINGS]).get(PATH).status_code == 403
