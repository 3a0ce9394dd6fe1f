"""Submissions whose photo never came."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from field_ops.models import ApprovalRequest, PhotoUpload
from field_ops.services.stranded import WAITED, settle_stranded
from tests.field_ops.factories import AssignmentFactory, ReceivingFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def now():
    return timezone.now()


class TestSettleStranded:
    def test_brings_what_waited_for_a_week_to_review_without_its_photo(self, now):
        submission = ReceivingFactory(received_at=now - WAITED - timedelta(minutes=1))

        assert settle_stranded(now=now) == 1

        request = ApprovalRequest.objects.get(submission=submission)
        assert request.risk == "high"
        assert "no_photo" in request.risk_reasons

    def test_leaves_what_may_still_get_its_photo(self, now):
        ReceivingFactory(received_at=now - WAITED + timedelta(minutes=1))
        going_on = ReceivingFactory(received_at=now - 2 * WAITED)
        PhotoUpload.objects.create(
            submission=going_on, size_bytes=9, sha256="0" * 64, started_at=now - WAITED, touched_at=now
        )

        assert settle_stranded(now=now) == 0

    def test_rejects_what_is_nobody_s_work_any_more(self, now):
        cancelled = AssignmentFactory(status="cancelled")
        submission = ReceivingFactory(assignment=cancelled, received_at=now - 2 * WAITED)

        settle_stranded(now=now)

        submission.refresh_from_db()
        assert submission.status == "rejected"
        assert AuditEntry.objects.filter(action="submission.stranded").count() == 1
