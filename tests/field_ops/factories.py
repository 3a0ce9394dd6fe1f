"""Factories of field work: the least that is valid."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from accounts.roles import Role
from field_ops import models
from field_ops.photos import bands_of
from tests.factories import MeterFactory, RegionFactory, RegisterFactory, UserFactory

THEN = datetime(2025, 3, 10, 2, tzinfo=UTC)


class AgentUserFactory(UserFactory):
    role = Role.AGENT


class AgentFactory(DjangoModelFactory):
    class Meta:
        model = models.Agent

    user = factory.SubFactory(AgentUserFactory)
    region = factory.SubFactory(RegionFactory)


class RoundFactory(DjangoModelFactory):
    class Meta:
        model = models.Round

    name = factory.Sequence(lambda n: f"Round {n}")
    region = factory.SubFactory(RegionFactory)
    next_on = THEN.date()


class AssignmentFactory(DjangoModelFactory):
    """An assignment in an agent's region; it does not count their load."""

    class Meta:
        model = models.Assignment

    agent = factory.SubFactory(AgentFactory)
    meter = factory.SubFactory(MeterFactory, region=factory.SelfAttribute("..agent.region"))
    assigned_at = THEN


class SubmissionFactory(DjangoModelFactory):
    """A value that was read, in review."""

    class Meta:
        model = models.Submission

    id = factory.LazyFunction(uuid.uuid4)
    assignment = factory.SubFactory(AssignmentFactory, status="in_progress", is_in_review=True)
    agent = factory.SelfAttribute("assignment.agent")
    meter = factory.SelfAttribute("assignment.meter")
    register = factory.SubFactory(RegisterFactory, meter=factory.SelfAttribute("..meter"))
    outcome = models.Submission.Outcome.READ
    value = Decimal("1234.5")
    read_at = THEN
    received_at = THEN
    expects_photo = False
    body_hash = "0" * 64
    status = models.Submission.Status.IN_REVIEW


class ReceivingFactory(SubmissionFactory):
    """A submission that waits for its photo."""

    assignment = factory.SubFactory(AssignmentFactory, status="in_progress")
    expects_photo = True
    status = models.Submission.Status.RECEIVING


class PhotoFactory(DjangoModelFactory):
    """The row of a photo, without files."""

    class Meta:
        model = models.Photo

    submission = factory.SubFactory(SubmissionFactory, expects_photo=True)
    name = factory.Sequence(lambda n: f"2025/03/{n}.jpg")
    thumbnail = factory.Sequence(lambda n: f"2025/03/{n}.thumb.jpg")
    width = 640
    height = 480
    stored_bytes = 1
    sent_format = "JPEG"
    sent_bytes = 1
    sha256 = "0" * 64
    perceptual_hash = 0
    hash_bands = factory.LazyAttribute(lambda photo: list(bands_of(photo.perceptual_hash)))
    created_at = THEN


class ApprovalRequestFactory(DjangoModelFactory):
    """A request of low risk that nobody has looked at."""

    class Meta:
        model = models.ApprovalRequest

    submission = factory.SubFactory(SubmissionFactory)
    meter = factory.SelfAttribute("submission.meter")
    agent = factory.SelfAttribute("submission.agent")
    risk = models.Risk.LOW
    levels_needed = 1
    submitted_at = THEN
