import json
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.test import RequestFactory
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView

from energy_portal.shared.api import CallerThrottle, StrictJSONParser

RATES = {"anonymous": "1/hour", "user": "2/hour", "source": "3/hour"}


@pytest.fixture(autouse=True)
def few_calls(settings):
    cache.clear()
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": RATES}


class ByHeader(BaseAuthentication):
    def authenticate(self, request):
        name = request.headers.get("X-Caller")
        return CALLERS.get(name)


def person():
    return SimpleNamespace(pk=uuid4(), is_authenticated=True), None


def key_of(source):
    return SimpleNamespace(pk=f"source-{source.pk}", is_authenticated=True), SimpleNamespace(pk=uuid4(), source=source)


def data_source(pk, **fields):
    return SimpleNamespace(pk=pk, allows=lambda scope: True, **fields)


SOURCE = data_source(1)
CALLERS = {
    "ann": person(),
    "ben": person(),
    "key": key_of(SOURCE),
    "its other key": key_of(SOURCE),
    "limited": key_of(data_source(2, messages_per_minute=1)),
}


class CountedView(APIView):
    authentication_classes = (ByHeader,)
    permission_classes = ()
    parser_classes = (StrictJSONParser,)
    throttle_classes = (CallerThrottle,)

    def get(self, request):
        return Response({})


class BatchView(CountedView):
    def throttle_cost(self, request):
        return len(request.data)

    def post(self, request):
        return Response({})


def call(name=None, address="9.9.9.9", **headers):
    caller = {"X-Caller": name} if name else {}
    return CountedView.as_view()(RequestFactory().get("/x", REMOTE_ADDR=address, headers={**caller, **headers}))


def statuses(count, *args, **headers):
    return [call(*args, **headers).status_code for _ in range(count)]


class TestCallerThrottle:
    @pytest.mark.parametrize(("name", "passing"), [(None, 1), ("ann", 2), ("key", 3), ("limited", 1)])
    def test_lets_each_kind_of_caller_pass_as_often_as_its_rate(self, name, passing):
        assert statuses(passing + 1, name) == [200] * passing + [429]

    def test_says_when_to_come_again(self):
        call()

        response = call().render()

        assert int(response["Retry-After"]) > 0
        assert json.loads(response.content)["code"] == "throttled"

    def test_counts_persons_and_addresses_apart(self):
        assert [call("ann").status_code, call("ann").status_code, call("ben").status_code] == [200] * 3
        assert [call(address="1.1.1.1").status_code, call(address="2.2.2.2").status_code] == [200] * 2

    def test_counts_all_keys_of_a_source_together(self):
        assert statuses(3, "key") + statuses(1, "its other key") == [200, 200, 200, 429]

    def test_is_not_evaded_by_a_made_up_proxy_header(self):
        call(**{"X-Forwarded-For": "1.1.1.1"})

        assert call(**{"X-Forwarded-For": "2.2.2.2"}).status_code == 429

    def test_counts_what_a_view_says_a_call_weighs(self):
        def post(body):
            request = RequestFactory().post("/x", body, content_type="application/json", headers={"X-Caller": "key"})
            return BatchView.as_view()(request).status_code

        assert [post("[1, 2]"), post("[1, 2]"), post("[1]")] == [200, 429, 200]
