from types import SimpleNamespace

from django.http import HttpResponse
from django.test import RequestFactory
from prometheus_client import REGISTRY

from energy_portal.shared.observability import exposition, observe_request, request_metrics, watch


def counted(**labels):
    return REGISTRY.get_sample_value("portal_http_requests_total", labels) or 0


def answer_by_route(request):
    request.resolver_match = SimpleNamespace(route="meters/<serial>/") if "meters" in request.path else None
    return HttpResponse(status=201)


async def async_answer(request):
    return answer_by_route(request)


class TestRequestMetrics:
    def test_counts_by_route_and_not_by_path(self):
        labels = {"method": "POST", "route": "/meters/<serial>/", "status": "201"}
        before = counted(**labels)

        for serial in ("SG-1", "SG-2"):
            request_metrics(answer_by_route)(RequestFactory().post(f"/meters/{serial}/"))

        assert counted(**labels) == before + 2

    async def test_counts_async_answers_too(self):
        labels = {"method": "GET", "route": "(none)", "status": "201"}
        before = counted(**labels)

        await request_metrics(async_answer)(RequestFactory().get("/nowhere"))

        assert counted(**labels) == before + 1


class TestObserveRequest:
    def test_keeps_made_up_methods_out_of_the_series(self):
        labels = {"method": "OTHER", "route": "/x", "status": "405"}
        before = counted(**labels)

        observe_request(method="BREW", route="/x", status=405, seconds=0.1)

        assert counted(**labels) == before + 1


class TestExposition:
    def test_is_prometheus_text(self):
        observe_request(method="GET", route="/seen", status=200, seconds=0.02)

        text = exposition().decode()

        assert 'portal_http_requests_total{method="GET",route="/seen",status="200"}' in text
        assert 'portal_http_request_seconds_bucket{le="0.025",method="GET",route="/seen"}' in text


class TestWatch:
    def test_asks_each_time(self):
        figures = {"billing": 3.0}
        watch("portal_watched", "A figure.", label="consumer", read=lambda: figures)
        assert b'portal_watched{consumer="billing"} 3.0' in exposition()

        figures["billing"] = 4.0

        assert b'portal_watched{consumer="billing"} 4.0' in exposition()

    def test_shows_the_others_where_one_cannot_be_read(self, caplog):
        def fail():
            raise OSError("no database")

        watch("portal_watched", "A figure.", label="consumer", read=fail)

        assert b"portal_http_requests" in exposition()
        assert "portal_watched cannot be read" in caplog.text
