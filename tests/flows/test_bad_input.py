"""Whatever a client sends, it gets a problem document with a code, and the good rows of a batch are kept."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from accounts.actors import PORTAL
from accounts.roles import Scope
from accounts.services import sources
from meters.models import RegisterReading
from tests.factories import supplied_register

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2025, 3, 15, 4, 0, tzinfo=UTC)
GOOD = {"timestamp": "2025-03-01T10:00:00+08:00", "reading": 500.0}


@pytest.fixture(autouse=True)
def _mid_march():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def serial() -> str:
    return supplied_register().meter.serial


@pytest.fixture
def key() -> str:
    _, key = sources.create_source(name="head-end", scopes=[Scope.READINGS], actor=PORTAL, now=NOW)
    return key


def send(client: Any, key: str | None, body: str | bytes) -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return client.post("/receive_meter_reading", data=body, content_type="application/json", headers=headers)


class TestReceiveMeterReading:
    @pytest.mark.parametrize(
        ("row", "code"),
        [
            ('{"meter_id": "nobody", "timestamp": "2025-03-01T10:00:00+08:00", "reading": 1}', "unknown_meter"),
            ('{"meter_id": "%s", "timestamp": "2025-03-01T10:15:00+08:00", "reading": 501}', "off_mark"),
            ('{"meter_id": "%s", "timestamp": "2025-03-16T10:00:00+08:00", "reading": 501}', "in_future"),
            ('{"meter_id": "%s", "timestamp": "1999-03-16T10:00:00+08:00", "reading": 501}', "too_old"),
            ('{"meter_id": "%s", "timestamp": "2025-03-01T10:30:00+08:00", "reading": "many"}', "not_a_number"),
            ('{"meter_id": "%s", "timestamp": "2025-03-01T10:30:00+08:00", "reading": true}', "not_a_number"),
            ('{"meter_id": "%s", "timestamp": "2025-03-01T10:30:00+08:00", "reading": -1}', "negative"),
            ('{"meter_id": "%s", "timestamp": "2025-03-01T10:30:00+08:00", "reading": 490.0}', "regression"),
        ],
    )
    def test_refuses_a_bad_row_by_code_and_keeps_the_good_one(self, client, key, serial, row, code):
        good = f'{{"meter_id": "{serial}", "timestamp": "{GOOD["timestamp"]}", "reading": 500.0}}'

        answer = send(client, key, f'{{"readings": [{good}, {row.replace("%s", serial)}]}}')

        assert answer.status_code == 201, answer.content
        assert answer.json()["stored"] == 1
        assert [(one["index"], one["code"]) for one in answer.json()["rejected"]] == [(1, code)]
        assert RegisterReading.objects.count() == 1

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"meter_id": "M", "timestamp": "2025-03-01T10:00:00+08:00", "reading": NaN}',
            b'{"meter_id": "M", "timestamp": "2025-03-01T10:00:00+08:00", "reading": 1e400}',
            b'{"meter_id": "\\u0000", "timestamp": "2025-03-01T10:00:00+08:00", "reading": 1}',
            b"null",
            b"3",
            b'"readings"',
            b'{"readings": {}}',
            b'[null, 3, "x", []]',
            b"{}",
        ],
    )
    def test_answers_a_body_that_makes_no_sense_with_a_problem_document(self, client, key, body):
        answer = send(client, key, body)

        assert answer.status_code in {400, 422}, answer.content
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.json()["code"]
        assert answer.json()["status"] == answer.status_code
        assert not RegisterReading.objects.exists()

    def test_refuses_a_body_of_20_mb(self, client, key):
        answer = send(client, key, b'{"readings": "' + b"x" * 20_000_000 + b'"}')

        assert answer.status_code == 413
        assert answer.json()["code"] == "body_too_large"

    @pytest.mark.parametrize(
        ("wrong_key", "code"), [(None, "not_authenticated"), ("ep_wrong", "invalid_key"), ("", "not_authenticated")]
    )
    def test_refuses_a_call_without_a_valid_key(self, client, serial, wrong_key, code):
        answer = send(client, wrong_key, f'{{"meter_id": "{serial}"}}')

        assert answer.status_code == 401
        assert answer.json()["code"] == code
        assert answer.headers["Content-Type"].startswith("application/problem+json")

    def test_refuses_a_key_without_the_scope(self, client, serial):
        _, key = sources.create_source(name="asker", scopes=[Scope.QUERIES], actor=PORTAL, now=NOW)

        answer = send(client, key, "{}")

        assert answer.status_code == 403
        assert answer.json()["code"] == "missing_scope"
