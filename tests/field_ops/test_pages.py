"""Doors, documents and data of an agent's pages."""

import posixpath
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.actors import PORTAL
from accounts.roles import Role
from field_ops.models import Phone
from field_ops.pages.doors import COOKIE
from field_ops.selectors.carried import plausible_ranges
from field_ops.services import phones
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import UserFactory, supplied_register
from tests.field_ops.factories import (
    AgentFactory,
    AgentUserFactory,
    ApprovalRequestFactory,
    AssignmentFactory,
    SubmissionFactory,
)

pytestmark = pytest.mark.django_db

PAGES = ("/field/", "/field/map", "/field/sent", "/field/assignments/6f1f0c1e-64c5-4b53-9d5e-0b6e4d1b7a11")
NOW = datetime.now(UTC)


def client_of(user) -> Client:
    client = Client(headers={"accept": "text/html"})
    client.force_login(user)
    return client


@pytest.fixture
def agent():
    return AgentFactory()


@pytest.fixture
def client(agent) -> Client:
    return client_of(agent.user)


def _text_of(static_file: str) -> str:
    return Path(finders.find(static_file)).read_text(encoding="utf-8")


class TestDoors:
    @pytest.mark.parametrize("path", PAGES)
    def test_open_to_agents(self, client, path):
        assert client.get(path).status_code == 200

    @pytest.mark.parametrize("path", PAGES)
    def test_lead_who_has_no_login_to_it(self, path):
        assert Client().get(path)["Location"] == f"/login?next={path}"

    @pytest.mark.parametrize("path", [*PAGES, "/field/work"])
    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.MANAGER, Role.OPERATOR, Role.ADMIN])
    def test_stay_shut_to_others(self, role, path):
        assert client_of(UserFactory(role=role)).get(path).status_code == 403

    def test_tell_an_agent_who_is_not_set_up(self):
        assert client_of(AgentUserFactory()).get("/field/").status_code == 403

    def test_make_the_browser_a_phone_of_the_agent_once(self, client, agent):
        client.get("/field/")
        client.get("/field/map")

        assert Phone.objects.get().agent == agent
        assert client.cookies[COOKIE]["httponly"]

    def test_make_another_phone_of_it_for_another_agent(self, client):
        client.get("/field/")
        other = AgentFactory()
        client.force_login(other.user)
        client.get("/field/")

        assert Phone.objects.filter(agent=other).count() == 1

    @pytest.mark.parametrize("logged_in", [True, False])
    def test_wipe_a_phone_that_was_revoked(self, client, logged_in):
        client.get("/field/")
        phones.revoke_phone(phone_id=Phone.objects.get().pk, actor=PORTAL, now=NOW)
        if logged_in:
            client.force_login(AgentFactory().user)

        page = client.get("/field/")
        data = client.get("/field/work")

        assert (page.status_code, data.status_code, data.json()["code"]) == (403, 403, "phone_revoked")
        assert '"storage"' in page["Clear-Site-Data"]
        assert '"storage"' in data["Clear-Site-Data"]

    def test_say_to_scripts_that_the_login_is_over(self):
        answer = Client().get("/field/work")

        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")

    def test_let_nobody_keep_what_is_of_one_agent(self, client):
        assert "no-store" in client.get("/field/work")["Cache-Control"]


class TestWork:
    def test_lists_what_is_to_be_done_in_walking_order(self, client, agent):
        later = AssignmentFactory(agent=agent, sequence=2)
        first = AssignmentFactory(agent=agent, sequence=1)
        AssignmentFactory(agent=agent, status="cancelled")
        AssignmentFactory()

        found = client.get("/field/work").json()["assignments"]

        assert [row["id"] for row in found] == [str(first.pk), str(later.pk)]
        assert found[0]["serial"] == first.meter.serial

    def test_brings_what_was_sent_back_with_what_to_mend(self, client, agent):
        work = AssignmentFactory(agent=agent, status="in_progress")
        sent = SubmissionFactory(assignment=work, status="returned")
        ApprovalRequestFactory(submission=sent, status="returned", review_notes="The last digit is not sharp.")

        body = client.get("/field/work").json()

        assert body["assignments"][0]["returned"] == {"id": str(sent.pk), "notes": "The last digit is not sharp."}
        assert body["submissions"][0]["review_notes"] == "The last digit is not sharp."

    def test_tells_the_dials_but_never_what_they_showed(self, client, agent):
        register = supplied_register()
        AssignmentFactory(agent=agent, meter=register.meter)
        start = NOW.replace(minute=0, second=0, microsecond=0)
        receive_readings(
            readings=[
                OfferedReading(
                    meter_id=register.meter.serial, timestamp=start - timedelta(days=days), value=Decimal(value)
                )
                for days, value in ((60, "41000.123"), (30, "41417.356"))
            ],
            actor=PORTAL,
            now=NOW,
        )

        answer = client.get("/field/work")

        dial = answer.json()["assignments"][0]["dials"][0]
        assert (dial["unit"], dial["digits"], dial["decimals"]) == ("kWh", 6, 3)
        [(low, high)] = dial["plausible"]
        assert low < 41_417.356 < high < 45_000
        assert b"41417" not in answer.content

    def test_says_nothing_of_a_dial_that_it_knows_nothing_of(self, client, agent):
        register = supplied_register()
        AssignmentFactory(agent=agent, meter=register.meter)

        assert client.get("/field/work").json()["assignments"][0]["dials"][0]["plausible"] == []

    def test_takes_as_many_queries_for_much_as_for_little(self, client, agent, django_assert_num_queries):
        client.get("/field/")

        def fill(count):
            for _ in range(count):
                register = supplied_register()
                SubmissionFactory(assignment=AssignmentFactory(agent=agent, meter=register.meter), register=register)

        fill(2)
        with django_assert_num_queries(10):
            client.get("/field/work")
        fill(8)
        with django_assert_num_queries(10):
            client.get("/field/work")


class TestPlausibleRanges:
    @given(
        last=st.decimals(0, 999_999, places=3),
        a_day=st.decimals(0, 500, places=3),
        days=st.decimals(0, 90, places=1),
    )
    def test_hold_what_was_and_what_is_expected(self, last, a_day, days):
        modulus = Decimal(10) ** 6
        expected = (last + a_day * days) % modulus

        ranges = plausible_ranges(last=last, a_day=a_day, days=days, modulus=modulus)

        for value in (last, expected):
            assert any(low <= value <= high for low, high in ranges) or not ranges

    def test_are_the_same_for_readings_that_lie_near_each_other(self):
        first, second = (
            plausible_ranges(last=Decimal(last), a_day=Decimal(10), days=Decimal(30), modulus=Decimal(10) ** 6)
            for last in ("41417.356", "41440.1")
        )

        assert first == second == ((Decimal(40900), Decimal(42800)),)

    def test_go_on_from_zero_where_the_dial_may_have_turned_over(self):
        ranges = plausible_ranges(last=Decimal(999_900), a_day=Decimal(10), days=Decimal(30), modulus=Decimal(10) ** 6)

        assert ranges == ((Decimal(999_400), Decimal(1_000_000)), (Decimal(0), Decimal(1_300)))


class TestAppFiles:
    def test_has_a_worker_that_keeps_every_part(self):
        answer = Client().get("/field/sw.js")

        files = re.findall(r'"(/static/[^"]+)"', answer.content.decode())
        assert answer["Content-Type"].startswith("text/javascript")
        assert all(finders.find(path.removeprefix("/static/")) for path in files)
        assert "/static/portal/field/capture.js" in files

    def test_has_a_worker_that_keeps_whatever_its_parts_import(self):
        files = set(re.findall(r'"/static/([^"]+)"', Client().get("/field/sw.js").content.decode()))

        for name in sorted(name for name in files if name.startswith("portal/") and name.endswith(".js")):
            folder = PurePosixPath(name).parent
            for imported in re.findall(r'^(?:import|export) .*"(\.[^"]+)";$', _text_of(name), re.MULTILINE):
                assert posixpath.normpath(folder / imported) in files, name

    def test_has_a_manifest_whose_icons_are_there(self):
        body = Client().get("/field/manifest.webmanifest").json()

        assert body["start_url"] == body["scope"] == "/field/"
        assert all(finders.find(icon["src"].removeprefix("/static/")) for icon in body["icons"])

    def test_has_a_stand_in_that_names_nobody(self):
        assert Client().get("/field/offline").status_code == 200

    def test_lets_no_link_wipe_a_phone(self):
        answer = Client().get("/field/revoked")

        assert answer.status_code == 200
        assert b"wipe.js" not in answer.content
        assert "Clear-Site-Data" not in answer
