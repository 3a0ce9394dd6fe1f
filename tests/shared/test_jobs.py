from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from celery import current_app, shared_task
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from kombu.exceptions import OperationalError

from energy_portal.shared.jobs import enqueue_on_commit

received: list[dict] = []


@shared_task(name="tests.shared.remember")
def remember(**kwargs):
    received.append(kwargs)


@pytest.fixture(autouse=True)
def nothing_received():
    received.clear()


@pytest.mark.django_db(transaction=True)
class TestEnqueueOnCommit:
    def test_waits_for_the_commit(self):
        with transaction.atomic():
            enqueue_on_commit(remember, bill_id=7)
            assert received == []

        assert received == [{"bill_id": 7}]

    def test_sends_nothing_after_a_rollback(self):
        with transaction.atomic():
            enqueue_on_commit(remember, bill_id=7)
            transaction.set_rollback(True)

        assert received == []

    def test_finds_a_task_by_name_and_sends_plain_values(self):
        enqueue_on_commit(
            "tests.shared.remember",
            id=UUID(int=1),
            day=date(2025, 1, 1),
            at=datetime(2025, 1, 1, tzinfo=UTC),
            ids=(1, 2),
        )

        assert received == [
            {
                "id": "00000000-0000-0000-0000-000000000001",
                "day": "2025-01-01",
                "at": "2025-01-01T00:00:00+00:00",
                "ids": [1, 2],
            }
        ]

    def test_sends_an_unregistered_name_to_its_queue(self, monkeypatch):
        sent = []
        monkeypatch.setattr(current_app, "send_task", lambda name, **options: sent.append((name, options)))

        enqueue_on_commit("elsewhere.run", queue="bills", id=1)

        assert sent == [("elsewhere.run", {"kwargs": {"id": 1}, "queue": "bills"})]

    def test_lets_the_write_stand_when_the_broker_is_down(self, monkeypatch, caplog):
        def refuse(*_args, **_options):
            raise OperationalError("down")

        monkeypatch.setattr(remember, "apply_async", refuse)

        with transaction.atomic():
            enqueue_on_commit(remember, bill_id=7)

        assert "did not take tests.shared.remember" in caplog.text


class TestPayload:
    def test_refuses_what_is_not_plain(self):
        with pytest.raises(TypeError, match="account is a ContentType"):
            enqueue_on_commit(remember, account=ContentType())
