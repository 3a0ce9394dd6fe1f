"""The managers' lists and forms of field work."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from field_ops import models
from meters.models import RegionManager
from tests.factories import AdminFactory, ManagerFactory, UserFactory
from tests.field_ops.factories import THEN, AgentUserFactory, ApprovalRequestFactory, RoundFactory

pytestmark = pytest.mark.django_db
MODELS = [model for model in admin.site._registry if model._meta.app_label == "field_ops"]


def url(model, page="changelist", *args):
    return reverse(f"admin:field_ops_{model._meta.model_name}_{page}", args=args)


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make_rows(size: int) -> None:
    """Make a row of everything, in a region and by an agent of its own, as often as is wanted."""
    reviewer = AdminFactory()
    start = models.Photo.objects.count()
    for number in range(start, start + size):
        request = ApprovalRequestFactory()
        agent, submission = request.agent, request.submission
        models.Decision.objects.create(request=request, level=1, verdict="approved", by=reviewer, at=THEN)
        models.Photo.objects.create(
            submission=submission,
            name=f"{number}.jpg",
            thumbnail=f"{number}-small.jpg",
            width=800,
            height=600,
            stored_bytes=90_000,
            sent_format="JPEG",
            sent_bytes=100_000,
            sha256=f"{number:064x}",
            perceptual_hash=number,
            hash_bands=[0] * 8,
            created_at=THEN,
        )
        models.Shift.objects.create(agent=agent, started_at=THEN)
        models.Phone.objects.create(agent=agent, key_hash=f"{number:064x}", created_at=THEN, seen_at=THEN)
        models.AssignmentStep.objects.create(assignment=submission.assignment, act="assigned", at=THEN, agent=agent)
        repeated = RoundFactory(region=agent.region, agent=agent)
        models.RoundStop.objects.create(round=repeated, position=1, meter=request.meter)
        models.RoundRun.objects.create(round=repeated, on=THEN.date(), made_at=THEN)


def queries(client, path):
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


class TestPages:
    @pytest.mark.parametrize("factory", [ManagerFactory, AdminFactory])
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_open_for_managers_and_admins(self, model, factory):
        make_rows(2)
        client = client_of(factory())

        assert client.get(url(model)).status_code == 200
        page = client.get(url(model, "change", model.objects.first().pk))
        assert page.status_code == 200
        assert "(&#x27;" not in page.text

    @pytest.mark.parametrize("factory", [UserFactory, AgentUserFactory])
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_stay_shut_for_others(self, model, factory):
        make_rows(1)

        assert client_of(factory()).get(url(model)).status_code == 302

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_take_as_many_queries_for_30_rows_as_for_3(self, model):
        client = client_of(ManagerFactory())
        make_rows(3)
        client.get(url(model))
        few = queries(client, url(model))
        make_rows(27)

        assert queries(client, url(model)) == few

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_hold_what_lies_in_the_regions_of_a_manager(self, model):
        make_rows(3)
        manager = ManagerFactory()
        agent = models.Agent.objects.first()
        RegionManager.objects.create(region=agent.region, user=manager)

        listed = client_of(manager).get(url(model)).context["cl"].queryset

        assert len(listed) == 1
        assert set(listed) == set(model.objects.visible_to(manager))

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_delete_nothing(self, model):
        make_rows(1)
        row = model.objects.first()

        assert client_of(AdminFactory()).post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_leave_as_csv_without_what_is_secret(self, model):
        make_rows(1)

        answer = client_of(ManagerFactory()).get(url(model, "export"))

        assert "hash" not in b"".join(answer.streaming_content).decode().lower()
