"""What a photo says beside the value that came with it, where photos can be read."""

import uuid
from datetime import timedelta

import pytest

from accounts.models import AuditEntry
from field_ops.models import Photo
from field_ops.services import deciding, recognising, reviewing
from tests.field_ops.factories import THEN, ApprovalRequestFactory, SubmissionFactory

NOW = THEN + timedelta(minutes=10)
pytestmark = pytest.mark.django_db


@pytest.fixture
def says(monkeypatch):
    """Let the library be there, and say what it reads off every photo."""

    def say(*texts):
        def read(path):
            if texts == ("broken",):
                raise RuntimeError(path)
            return list(texts)

        monkeypatch.setattr(recognising, "is_installed", lambda: True)
        monkeypatch.setattr(recognising, "texts_on", read)

    return say


def request_with_photo(**more):
    request = ApprovalRequestFactory(evidence={"ocr": {"state": "waiting"}}, risk_reasons=["no_history"], **more)
    photograph(request.submission)
    return request


def photograph(submission):
    name = uuid.uuid4().hex
    return Photo.objects.create(
        submission=submission,
        name=name,
        thumbnail=f"{name}-small",
        width=8,
        height=8,
        stored_bytes=1,
        sent_format="JPEG",
        sent_bytes=1,
        sha256=name,
        perceptual_hash=0,
        hash_bands=[256 * place for place in range(8)],
        created_at=THEN,
    )


class TestComparePhoto:
    def test_raises_the_risk_where_the_photo_says_something_else(self, says, manager):
        request = request_with_photo(is_audited=True)
        says("kWh", "001284.5")

        state = recognising.compare_photo(submission_id=request.submission_id, now=NOW)

        request.refresh_from_db()
        assert (state, request.risk, request.levels_needed, request.is_audited) == ("checked", "high", 2, False)
        assert request.risk_reasons == ["photo_reads_differently", "no_history"]
        assert request.evidence["ocr"] == {"state": "checked", "agrees": False, "texts": ["kWh", "001284.5"]}
        assert AuditEntry.objects.filter(action="approval.risk_raised").exists()
        assert deciding.approve(request_id=request.pk, actor=manager, now=NOW).status == "under_review"

    @pytest.mark.parametrize(
        ("texts", "agrees", "state"),
        [(("001234.5",), True, "checked"), (("230 V",), None, "checked"), (("broken",), None, "unreadable")],
    )
    def test_leaves_the_risk_alone_otherwise(self, says, texts, agrees, state):
        request = request_with_photo()
        says(*texts)

        assert recognising.compare_photo(submission_id=request.submission_id, now=NOW) == state

        request.refresh_from_db()
        assert (request.risk, request.levels_needed, request.evidence["ocr"]["agrees"]) == ("low", 1, agrees)

    def test_comes_too_late_for_what_is_decided(self, says, manager):
        request = request_with_photo()
        deciding.approve(request_id=request.pk, actor=manager, now=NOW)
        says("001284.5")

        recognising.compare_photo(submission_id=request.submission_id, now=NOW)

        request.refresh_from_db()
        assert (request.status, request.risk, request.evidence["ocr"]["agrees"]) == ("approved", "low", False)

    def test_is_waited_for_before_many_are_approved_together(self, manager, says):
        request = request_with_photo()
        (refused,) = deciding.approve_low_risk(request_ids=[request.pk], actor=manager, now=NOW).refused
        assert refused.code == "photo_being_read"

        says("001234.5")
        recognising.compare_photo(submission_id=request.submission_id, now=NOW)

        assert deciding.approve_low_risk(request_ids=[request.pk], actor=manager, now=NOW).approved == (request.pk,)


class TestAsk:
    @pytest.mark.parametrize("installed", [True, False])
    def test_has_a_photo_read_where_that_is_possible(self, monkeypatch, installed):
        sent = []
        monkeypatch.setattr(recognising, "is_installed", lambda: installed)
        monkeypatch.setattr(recognising, "enqueue_on_commit", lambda task, **more: sent.append((task, more)))
        submission = SubmissionFactory(status="receiving", assignment__is_in_review=False)
        photograph(submission)

        request = reviewing.open_request(submission=submission, now=NOW)

        asked = [("field_ops.tasks.compare_photo", {"submission_id": submission.pk})]
        assert sent == (asked if installed else [])
        assert request.evidence["ocr"] == {"state": "waiting" if installed else "not_checked"}
