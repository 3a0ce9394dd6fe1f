"""A whole submission comes before those who decide with all that is known of it."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.actors import PORTAL
from energy_portal.shared.errors import DomainError
from field_ops.models import ApprovalRequest, Assignment, Photo
from field_ops.services.reviewing import is_chosen_for_audit, open_request
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import InstallationFactory, MeterFactory
from tests.field_ops.factories import THEN, AssignmentFactory, SubmissionFactory

NOW = THEN + timedelta(minutes=10)
pytestmark = pytest.mark.django_db


@pytest.fixture
def submission():
    """What an agent brought from before a placed meter, whose photo is about to be whole."""
    assignment = AssignmentFactory(status="in_progress", meter__latitude=1.3, meter__longitude=103.8)
    InstallationFactory(meter=assignment.meter)
    return SubmissionFactory(
        assignment=assignment,
        status="receiving",
        expects_photo=True,
        latitude=1.3001,
        longitude=103.8001,
        accuracy_m=8.0,
        serial_given=assignment.meter.serial,
    )


def photo_of(submission, *, sha256=None, perceptual_hash=0, **more):
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
        sha256=sha256 or name,
        perceptual_hash=perceptual_hash,
        hash_bands=[256 * place + (perceptual_hash >> 8 * place & 255) for place in range(8)],
        created_at=THEN,
        **more,
    )


def use(submission, per_day="10", days=20, until="1224.5"):
    """Let a meter have shown a steady use up to a day before."""
    rows = [
        OfferedReading(submission.meter.serial, THEN - timedelta(days=n + 1), Decimal(until) - n * Decimal(per_day))
        for n in range(days)
    ]
    report = receive_readings(readings=rows, actor=PORTAL, now=NOW)
    assert report.stored == days


class TestOpenRequest:
    def test_asks_one_level_where_nothing_speaks_against_it(self, submission, settings):
        settings.FIELD_AUDIT_SHARE = 0.0
        use(submission)
        photo_of(submission, taken_at=THEN)

        request = open_request(submission=submission, now=NOW)

        request.refresh_from_db()
        assert (request.risk, request.risk_reasons, request.levels_needed) == ("low", [], 1)
        assert request.evidence["position"]["distance_m"] == 15.7
        assert request.evidence["range"]["typical_per_day"] == "10.000000"
        assert request.meter_data["serial"] == submission.meter.serial
        assert [row["value"] for row in request.meter_data["last_readings"]] == [
            "1224.500000",
            "1214.500000",
            "1204.500000",
        ]
        assert len(request.meter_data["points"]) == 20
        assert (submission.status, request.is_audited) == ("in_review", False)

    def test_asks_two_levels_where_something_does(self, submission):
        use(submission)
        submission.value = Decimal(1400)
        submission.latitude = 1.31
        submission.save()

        request = open_request(submission=submission, now=NOW)

        assert (request.risk, request.levels_needed, request.is_audited) == ("high", 2, False)
        assert request.risk_reasons == ["outside_expected_range", "far_from_meter", "no_photo"]

    def test_does_not_blame_the_agent_for_what_the_portal_does_not_know(self, submission):
        photo_of(submission)
        submission.meter.latitude = submission.meter.longitude = None
        submission.meter.save()

        request = open_request(submission=submission, now=NOW)

        assert (request.risk, request.risk_reasons) == ("low", ["meter_not_placed", "no_history"])

    def test_sees_a_dial_turn_over(self, submission):
        use(submission, until="999995")
        photo_of(submission)
        submission.value = Decimal(6)
        submission.save()

        assert open_request(submission=submission, now=NOW).risk == "low"

    def test_recognises_the_serial_of_another_meter(self, submission):
        other = MeterFactory(serial="XY-77")
        photo_of(submission)
        submission.serial_given = "xy-77"
        submission.save()

        request = open_request(submission=submission, now=NOW)

        assert request.risk_reasons[0] == "serial_of_another_meter"
        assert request.evidence["serial"]["other_meter"] == other.serial

    def test_finds_the_same_photo_and_look_alikes_on_all_meters(self, submission):
        same, alike, other = SubmissionFactory.create_batch(3)
        photo_of(same, sha256="a" * 64, perceptual_hash=0b1111)
        photo_of(alike, perceptual_hash=0b0111)
        photo_of(other, perceptual_hash=-1)
        photo_of(submission, sha256="a" * 64, perceptual_hash=0b1111)

        request = open_request(submission=submission, now=NOW)

        assert request.risk_reasons[:2] == ["photo_sent_before", "photo_looks_like_another"]
        assert request.evidence["photo"]["twins"] == [
            {"meter": same.meter.serial, "submission": str(same.pk), "bits": 0, "is_exact": True},
            {"meter": alike.meter.serial, "submission": str(alike.pk), "bits": 1, "is_exact": False},
        ]

    def test_lets_the_photo_come_again_with_what_mends_its_own_assignment(self, submission):
        earlier = SubmissionFactory(assignment=submission.assignment, register=submission.register, status="returned")
        photo_of(earlier, sha256="a" * 64)
        photo_of(submission, sha256="a" * 64)

        assert open_request(submission=submission, now=NOW).evidence["photo"]["twins"] == []

    def test_opens_one_however_often_it_is_called(self, submission):
        first = open_request(submission=submission, now=NOW)

        assert open_request(submission=submission, now=NOW) == first
        assert ApprovalRequest.objects.count() == 1

    @pytest.mark.parametrize("change", [{"status": "cancelled"}, {"agent": None}])
    def test_is_refused_where_the_work_was_taken_away(self, submission, change):
        Assignment.objects.filter(pk=submission.assignment_id).update(**change)

        with pytest.raises(DomainError) as caught:
            open_request(submission=submission, now=NOW)

        assert caught.value.code == "assignment_closed"


class TestIsChosenForAudit:
    def test_follows_the_share_and_the_portals_secret(self, settings):
        sent = SubmissionFactory.build_batch(400, assignment=None, agent=None, meter=None, register=None)
        settings.FIELD_AUDIT_SHARE = 0.25
        chosen = [is_chosen_for_audit(each) for each in sent]

        assert [is_chosen_for_audit(each) for each in sent] == chosen
        settings.SECRET_KEY = "another-secret-key-of-another-portal"
        assert [is_chosen_for_audit(each) for each in sent] != chosen

    @pytest.mark.parametrize(("share", "expected"), [(0.0, False), (1.0, True)])
    def test_takes_none_or_all_at_the_ends(self, settings, share, expected):
        settings.FIELD_AUDIT_SHARE = share
        sent = SubmissionFactory.build(assignment=None, agent=None, meter=None, register=None)

        assert is_chosen_for_audit(sent) is expected
