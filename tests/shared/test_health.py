import json
from types import SimpleNamespace

import pytest
from django.test import RequestFactory
from rest_framework.authentication import BaseAuthentication

from energy_portal.shared import health


class By(BaseAuthentication):
    """Whoever the test says."""

    caller = None

    def authenticate(self, request):
        return self.caller

    def authenticate_header(self, request):
        return "Bearer"


@pytest.fixture
def metrics_for(monkeypatch):
    def ask(caller=None, address="9.9.9.9", **headers):
        monkeypatch.setattr(By, "caller", caller)
        view = health.MetricsView.as_view(authentication_classes=(By,))
        return view(RequestFactory().get("/metrics", REMOTE_ADDR=address, headers=headers))

    return ask


def person(role, **fields):
    return SimpleNamespace(pk=1, is_authenticated=True, is_superuser=False, role=role, **fields), None


def key(*scopes):
    source = SimpleNamespace(pk=1, allows=lambda scope: scope in scopes)
    return SimpleNamespace(pk=1, is_authenticated=True, is_superuser=False), SimpleNamespace(source=source)


class TestLivez:
    def test_answers_without_asking_anything(self):
        response = health.livez(RequestFactory().get("/livez"))

        assert json.loads(response.content) == {"status": "alive"}

    def test_refuses_to_be_written_to(self):
        assert health.livez(RequestFactory().post("/livez")).status_code == 405


@pytest.mark.django_db
class TestReadyz:
    def test_is_ready_when_every_part_answers(self):
        response = health.readyz(RequestFactory().get("/readyz"))

        assert response.status_code == 200
        assert json.loads(response.content) == {"status": "ready", "parts": {"database": "ok", "cache": "ok"}}
        assert "no-cache" in response["Cache-Control"]

    @pytest.mark.parametrize(("part", "method"), [("database", "connection.is_usable"), ("cache", "cache.set")])
    def test_names_the_part_that_does_not_answer_and_not_why(self, monkeypatch, caplog, part, method):
        def refuse(*_args, **_options):
            raise OSError("a secret path")

        monkeypatch.setattr(f"energy_portal.shared.health.{method}", refuse)

        response = health.readyz(RequestFactory().get("/readyz"))

        assert response.status_code == 503
        assert json.loads(response.content)["parts"][part] == "down"
        assert b"secret" not in response.content
        assert f"The {part} does not answer" in caplog.text


class TestMetrics:
    @pytest.mark.parametrize("caller", [person("admin"), key("metrics")])
    def test_are_shown_to_admins_and_keys_of_the_scope(self, metrics_for, caller):
        response = metrics_for(caller)

        assert response.status_code == 200
        assert response["Content-Type"].startswith("text/plain")
        assert b"portal_http_requests" in response.content

    @pytest.mark.parametrize("caller", [person("manager"), person("customer"), key("readings"), key()])
    def test_are_refused_to_others_even_on_this_machine(self, metrics_for, caller):
        assert metrics_for(caller, address="127.0.0.1").status_code == 403

    def test_are_refused_to_strangers(self, metrics_for):
        assert metrics_for().status_code == 401

    def test_are_shown_to_programs_on_this_machine(self, metrics_for):
        assert metrics_for(address="127.0.0.1").status_code == 200

    def test_are_refused_to_what_a_proxy_on_this_machine_brings(self, metrics_for, settings):
        assert metrics_for(address="127.0.0.1", **{"X-Forwarded-For": "8.8.8.8"}).status_code == 401

        settings.TRUSTED_PROXIES = 1
        assert metrics_for(address="127.0.0.1").status_code == 401

    @pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text", "text/html"])
    def test_are_text_whatever_is_asked_for(self, metrics_for, accept):
        assert metrics_for(person("admin"), accept=accept)["Content-Type"].startswith("text/plain")
