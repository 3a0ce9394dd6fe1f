"""One's own page: how one is called, and how the pages look and speak."""

import re

import pytest
from django.test import Client

from accounts.models import AuditEntry
from tests.factories import ManagerFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]
KEPT = {"name": "Mei Tan", "phone": "", "language": "", "zone": "", "theme": "system"}


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def html_tag(page: str) -> str:
    return re.search(r"<html[^>]*>", page)[0]


class TestProfile:
    def test_keeps_what_is_chosen_and_notes_it(self, administrator):
        chosen = {**KEPT, "language": "ms", "zone": "Europe/Berlin", "theme": "dark", "phone": "+65 1234"}

        answer = logged_in(administrator).post("/profile", chosen)

        administrator.refresh_from_db()
        assert answer.status_code == 302
        assert {name: getattr(administrator, name) for name in KEPT} == chosen
        assert AuditEntry.objects.filter(action="user.changed", user=administrator).exists()

    @pytest.mark.parametrize("wrong", [{"name": ""}, {"theme": "neon"}, {"language": "tlh"}, {"zone": "Mars/Olympus"}])
    def test_refuses_what_there_is_not(self, administrator, wrong):
        answer = logged_in(administrator).post("/profile", {**KEPT, **wrong})

        assert (answer.status_code, "errorlist" in answer.content.decode()) == (422, True)

    def test_is_for_whoever_logs_in(self):
        page = logged_in(ManagerFactory()).get("/profile").content.decode()

        assert 'name="language"' in page
        assert 'name="zone"' not in page
        assert Client().get("/profile").status_code == 302


class TestTheme:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_stands_in_the_page_itself(self, administrator, theme):
        administrator.theme = theme
        administrator.save()

        page = logged_in(administrator).get("/household").content.decode()

        assert f'data-theme="{theme}"' in html_tag(page)
        assert f'<meta name="color-scheme" content="{theme}">' in page

    def test_is_the_device_s_unless_chosen(self, administrator):
        page = logged_in(administrator).get("/household").content.decode()

        assert "data-theme" not in html_tag(page)
        assert '<meta name="color-scheme" content="light dark">' in page


class TestZone:
    def test_is_the_account_s_unless_chosen_and_is_told(self, administrator):
        client = logged_in(administrator)
        assert "Times of Asia/Singapore" in client.get("/household").content.decode()

        administrator.zone = "Europe/Berlin"
        administrator.save()

        assert "Times of Europe/Berlin" in client.get("/household").content.decode()


class TestLanguage:
    @pytest.mark.parametrize(
        ("asked", "chosen", "spoken"),
        [
            ("", "", "en"),
            ("zh-CN,zh;q=0.9", "", "zh-hans"),
            ("ms-MY", "", "ms"),
            ("fr-FR", "", "en"),
            ("zh-CN", "en", "en"),
            ("fr-FR", "zh-hans", "zh-hans"),
        ],
    )
    def test_is_one_s_choice_else_the_browser_s_else_english(self, administrator, asked, chosen, spoken):
        administrator.language = chosen
        administrator.save()

        answer = logged_in(administrator).get("/household", headers={"accept-language": asked})

        assert f'<html lang="{spoken}"' in answer.content.decode()
        assert answer["Content-Language"] == spoken
