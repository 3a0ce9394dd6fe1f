import json

import pytest
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.test import RequestFactory

from energy_portal.shared import error_pages

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ANSWERS = [
    (lambda request: error_pages.bad_request(request, SuspiciousOperation()), 400, "bad_request"),
    (lambda request: error_pages.bad_request(request, RequestDataTooBig()), 413, "body_too_large"),
    (lambda request: error_pages.permission_denied(request, Exception()), 403, "permission_denied"),
    (lambda request: error_pages.page_not_found(request, Exception()), 404, "not_found"),
    (error_pages.server_error, 500, "internal_error"),
    (error_pages.csrf_failure, 403, "csrf_failed"),
]


def ask(accept):
    return RequestFactory().get("/lost", headers={"accept": accept} if accept else {})


class TestErrorPages:
    @pytest.mark.parametrize(("answer", "status", "code"), ANSWERS)
    @pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/csv"])
    def test_give_machines_a_problem_document(self, answer, status, code, accept):
        response = answer(ask(accept))

        assert response.status_code == status
        assert response["Content-Type"] == "application/problem+json"
        document = json.loads(response.content)
        assert (document["status"], document["code"], document["instance"]) == (status, code, "/lost")

    @pytest.mark.parametrize(("answer", "status", "code"), ANSWERS)
    def test_give_browsers_a_page(self, answer, status, code):
        response = answer(ask(BROWSER))

        assert response.status_code == status
        assert response["Content-Type"].startswith("text/html")
        assert b"<h1" in response.content

    def test_show_a_designed_page_where_there_is_one(self, settings, tmp_path):
        (tmp_path / "errors").mkdir()
        (tmp_path / "errors" / "404.html").write_text("<h1>Lost: {{ detail }}</h1>{{ request.path }}")
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

        response = error_pages.page_not_found(ask(BROWSER), Exception())

        assert response.content == b"<h1>Lost: Nothing is to be found here.</h1>/lost"

    def test_keep_their_status_when_the_designed_page_fails(self, settings, tmp_path, caplog):
        (tmp_path / "errors").mkdir()
        (tmp_path / "errors" / "403.html").write_text("{% url 'nowhere' %}")
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

        response = error_pages.csrf_failure(ask(BROWSER))

        assert response.status_code == 403
        assert b"<h1>The form has expired" in response.content
        assert "errors/403.html failed" in caplog.text
