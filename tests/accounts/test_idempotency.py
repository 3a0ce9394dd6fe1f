from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Event

import pytest
from django.db import connection
from django.urls import include, path
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.api.idempotency import IdempotentCreate
from accounts.models import FamilyMember, IdempotencyRecord
from accounts.services import idempotency
from tests.factories import CustomerAccountFactory

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
entered, leave = Event(), Event()


class AddView(IdempotentCreate, APIView):
    permission_classes = (AllowAny,)

    def post(self, request):
        account = CustomerAccountFactory()
        member = FamilyMember.objects.create(account=account, name=request.data["name"], relationship="guest")
        if request.data["name"] == "refused":
            raise ValidationError("no")
        if request.data["name"] == "broken":
            return Response({"code": "broken"}, status=503)
        if request.data["name"] == "slow":
            entered.set()
            leave.wait(20)
        location = {"Location": f"/members/{member.pk}"}
        return Response({"id": member.pk, "kwh": Decimal("450.50")}, status=201, headers=location)


urlpatterns = [
    path("add", AddView.as_view()),
    path("also", AddView.as_view()),
    path("", include("energy_portal.urls")),
]


def add(name="Wei", key: str | None = "k-1", where="/add", **more):
    headers = {} if key is None else {"Idempotency-Key": key}
    return APIClient().post(where, {"name": name}, format="json", headers=headers, **more)


class TestIdempotentCreate:
    def test_gives_a_repeat_the_first_answer_to_the_letter(self):
        first, again = add(), add()

        assert (first.status_code, again.status_code) == (201, 201)
        assert first.content == again.content
        assert b'"kwh":450.50' in again.content
        assert first["Location"] == again["Location"]
        assert FamilyMember.objects.count() == 1

    def test_does_it_again_without_a_key(self):
        add(key=None)
        add(key=None)

        assert FamilyMember.objects.count() == 2

    @pytest.mark.parametrize("other", [{"name": "Li"}, {"where": "/also"}])
    def test_refuses_the_key_for_another_body_or_path(self, other):
        add()
        answer = add(**other)

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert FamilyMember.objects.count() == 1

    def test_keeps_callers_apart(self):
        add()
        add(REMOTE_ADDR="192.0.2.7")

        assert FamilyMember.objects.count() == 2

    @pytest.mark.parametrize(("name", "status"), [("refused", 400), ("broken", 503)])
    def test_leaves_nothing_behind_of_what_failed(self, name, status):
        assert add(name).status_code == status

        assert not FamilyMember.objects.exists()
        assert not IdempotencyRecord.objects.exists()

    @pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
    def test_refuses_a_key_that_is_none(self, key):
        assert add(key=key).json()["code"] == "invalid_idempotency_key"


@pytest.mark.django_db(transaction=True)
class TestTwins:
    def test_wait_for_the_one_at_work_and_get_its_answer(self):
        with ThreadPoolExecutor(2) as pool:
            one, other = self._start_both(pool)
            leave.set()
            answers = [one.result(), other.result()]

        assert answers[0] == answers[1]
        assert FamilyMember.objects.count() == 1

    def test_are_told_when_it_takes_too_long(self, monkeypatch):
        monkeypatch.setattr(idempotency, "_TWIN_WAIT", "50ms")
        with ThreadPoolExecutor(2) as pool:
            one, other = self._start_both(pool)
            status, body = other.result()
            leave.set()
            assert one.result()[0] == 201

        assert status == 409
        assert b"in_progress" in body
        assert FamilyMember.objects.count() == 1

    def _start_both(self, pool):
        entered.clear()
        leave.clear()
        one = pool.submit(self._call)
        assert entered.wait(20)
        return one, pool.submit(self._call)

    def _call(self):
        try:
            answer = add("slow")
        finally:
            connection.close()
        return answer.status_code, answer.content


class TestPrune:
    def test_forgets_what_is_older_than_a_day(self):
        add(key="old")
        IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
        add(key="new")

        assert idempotency.prune_idempotency_records(now=timezone.now()) == 1
        assert IdempotencyRecord.objects.get().key == "new"
