from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import SourceKey
from billing.models import BillRun
from energy_portal.dashboard import Intake, Lag, dashboard_at
from energy_portal.navigation import sidebar
from meters.models import DomainEvent, EventDelivery, Job, ReadingException, RegistrationRequest
from meters.selectors.events import ConsumerLag
from meters.selectors.intake import JobsNow
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import AdminFactory, DataSourceFactory, ManagerFactory, supplied_register

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 15, 4, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def forget():
    cache.clear()


def open_exception(register, **fields):
    values = {"time": NOW, "code": "conflict", "offered_value": 1, "opened_at": NOW, **fields}
    return ReadingException.objects.create(register=register, **values)


class TestDashboard:
    def test_counts_what_came_against_what_was_due_today(self):
        register = supplied_register()
        first = datetime(2026, 3, 14, 16, tzinfo=UTC)
        marks = [first + timedelta(minutes=30 * number) for number in range(1, 25)]
        rows = [OfferedReading(register.meter.serial, mark, Decimal(number)) for number, mark in enumerate(marks)]
        receive_readings(readings=rows[:18], actor=Actor(), now=NOW)

        today = dashboard_at(now=NOW).today

        assert (today.day, today.received, today.expected) == (date(2026, 3, 15), 18, 24)
        assert (today.percent, today.grade) == (75, "bad")

    def test_covers_seven_days(self):
        days = dashboard_at(now=NOW).days

        assert [day.day for day in days] == [date(2026, 3, 9) + timedelta(days=n) for n in range(7)]

    def test_counts_open_exceptions_by_rule_the_most_first(self):
        register = supplied_register()
        open_exception(register)
        open_exception(register, code="spike")
        open_exception(register, code="spike", offered_value=2)
        open_exception(register, code="spike", offered_value=3, status="rejected")

        dashboard = dashboard_at(now=NOW)

        assert [(rule.code, rule.count) for rule in dashboard.rules] == [("spike", 2), ("conflict", 1)]
        assert dashboard.exceptions_open == 3

    def test_counts_values_that_wait_apart_from_those_that_entered(self):
        register = supplied_register()
        open_exception(register, code="over_capacity", severity="quarantine")
        open_exception(register, code="over_capacity", severity="flag", offered_value=2)

        dashboard = dashboard_at(now=NOW)

        assert dashboard.values_waiting == 1
        assert [(rule.severity, rule.count) for rule in dashboard.rules] == [("flag", 1), ("quarantine", 1)]

    def test_counts_jobs_as_they_stand_and_recent_failures_only(self):
        for status, days in (("queued", 0), ("running", 0), ("running", 30), ("failed", 1), ("failed", 8), ("done", 0)):
            Job.objects.create(kind="import_readings", status=status, created_at=NOW - timedelta(days=days))

        assert dashboard_at(now=NOW).jobs == JobsNow(queued=1, running=2, failed=1)

    def test_shows_how_far_last_months_run_is(self):
        BillRun.objects.create(month=date(2026, 2, 1), status="running", accounts_total=40, accounts_done=10)
        BillRun.objects.create(month=date(2026, 1, 1), status="done", accounts_total=40, accounts_done=40)

        billing = dashboard_at(now=NOW).billing

        assert (billing.month, billing.run_percent) == (date(2026, 2, 1), 25)

    def test_takes_the_site_s_month_not_the_world_s(self):
        first_of_april = datetime(2026, 3, 31, 16, tzinfo=UTC)

        assert dashboard_at(now=first_of_april).billing.month == date(2026, 3, 1)

    def test_marks_a_source_that_went_quiet(self):
        for name, minutes in (("busy", 10), ("still", 300)):
            source = DataSourceFactory(name=name)
            SourceKey.objects.create(
                source=source, prefix=name, key_hash=name, last_used_at=NOW - timedelta(minutes=minutes)
            )

        assert [(source.name, source.quiet) for source in dashboard_at(now=NOW).sources] == [
            ("busy", False),
            ("still", True),
        ]

    def test_takes_as_many_queries_for_much_as_for_little(self):
        with CaptureQueriesContext(connection) as little:
            dashboard_at(now=NOW)
        for number in range(3):
            register = supplied_register()
            open_exception(register, code=f"rule-{number}")
            RegistrationRequest.objects.create(account_number=str(number), owner_name="Nia", payload={})
            DataSourceFactory()

        with CaptureQueriesContext(connection) as much:
            dashboard_at(now=NOW)

        assert len(much) == len(little)


class TestLag:
    @pytest.mark.parametrize(
        ("minutes", "failing", "grade"), [(0, 0, "good"), (5, 0, "warn"), (60, 0, "bad"), (1, 1, "bad")]
    )
    def test_grades_how_long_events_wait(self, minutes, failing, grade):
        lag = Lag(ConsumerLag("billing", 3, failing, NOW, timedelta(minutes=minutes)))

        assert (lag.minutes, lag.grade) == (minutes, grade)

    def test_stands_on_the_front_page(self, client):
        client.force_login(ManagerFactory())
        event = DomainEvent.objects.create(kind="gap_opened", recorded_at=timezone.now() - timedelta(minutes=12))
        EventDelivery.objects.create(event=event, consumer="post")

        page = client.get(reverse("admin:index")).content.decode()

        assert "1 waiting, the oldest for 12 min" in page


class TestIntake:
    @pytest.mark.parametrize(
        ("received", "expected", "percent", "grade"),
        [
            (0, 0, 100, "good"),
            (48, 48, 100, "good"),
            (9_999, 10_000, 99, "good"),
            (95, 100, 95, "warn"),
            (0, 48, 0, "bad"),
            (50, 48, 100, "good"),
        ],
    )
    def test_grades_a_day(self, received, expected, percent, grade):
        day = Intake(date(2026, 3, 15), received, expected)

        assert (day.percent, day.grade) == (percent, grade)


class TestFrontPage:
    @pytest.mark.parametrize("factory", [ManagerFactory, AdminFactory])
    def test_opens_for_managers_and_admins(self, client, factory):
        client.force_login(factory())

        answer = client.get(reverse("admin:index"))

        assert answer.status_code == 200
        assert "Readings received against expected" in answer.text

    def test_links_only_to_lists_that_open(self, client):
        client.force_login(ManagerFactory())

        links = client.get(reverse("admin:index")).context["links"]

        assert links["sources"] is None
        assert {client.get(link).status_code for link in links.values() if link} == {200}

    def test_leads_to_what_waits_in_quarantine_and_to_failed_jobs(self, client):
        client.force_login(ManagerFactory())
        open_exception(supplied_register(), code="over_capacity", severity="quarantine")
        Job.objects.create(kind="import_readings", status="failed", created_at=timezone.now())

        page = client.get(reverse("admin:index")).text

        queue = f"{reverse('admin:meters_readingexception_changelist')}?status__exact=open"
        assert f'{queue}&amp;severity__exact=quarantine">1 value waits in quarantine' in page
        assert "1 failed in the last seven days" in page
        assert client.get(f"{queue}&severity__exact=quarantine&code=over_capacity").context["cl"].result_count == 1

    def test_is_at_most_a_minute_old(self, client, time_machine):
        time_machine.move_to(NOW, tick=False)
        client.force_login(ManagerFactory())
        client.get(reverse("admin:index"))
        open_exception(supplied_register())

        at_once = client.get(reverse("admin:index")).context["dashboard"].exceptions_open
        time_machine.shift(61)
        later = client.get(reverse("admin:index")).context["dashboard"].exceptions_open

        assert (at_once, later) == (0, 1)

    def test_lets_in_whoever_logs_in_by_e_mail(self, client):
        ManagerFactory(email="max@example.org", password="a-long-enough-password")
        form = {"username": "MAX@example.org", "password": "a-long-enough-password"}

        answer = client.post(reverse("admin:login") + "?next=/admin/", form)

        assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")


class TestSidebar:
    def links(self, rf, user):
        request = rf.get("/admin/")
        request.user = user
        return {item["link"]: item for group in sidebar(request) for item in group["items"]}

    def test_leads_managers_to_meters_and_not_to_users(self, rf):
        links = self.links(rf, ManagerFactory())

        assert reverse("admin:meters_meter_changelist") in links
        assert "/admin/accounts/user/" not in links

    @pytest.mark.parametrize("factory", [ManagerFactory, AdminFactory])
    def test_leads_nowhere_that_does_not_open(self, rf, client, factory):
        person = factory()
        client.force_login(person)

        assert {client.get(link).status_code for link in self.links(rf, person)} == {200}

    def test_leads_admins_to_every_group(self, rf):
        links = self.links(rf, AdminFactory())

        for name in ("accounts_customeraccount", "meters_servicepoint", "billing_bill", "accounts_user"):
            assert reverse(f"admin:{name}_changelist") in links

    def test_puts_a_number_beside_a_list_only_where_something_waits(self, rf):
        request = rf.get("/admin/")
        request.user = ManagerFactory()

        def badges():
            cache.clear()
            return [item["badge"] for group in sidebar(request) for item in group["items"] if "badge" in item]

        none = badges()
        open_exception(supplied_register())

        assert (none, badges()) == ([], ["1"])
