import pytest
from django.urls import reverse

from accounts.actors import Actor
from meters.models import Installation, RegistrationRequest
from meters.services.registration import Registration, request_registration

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]


def list_url(model):
    return reverse(f"admin:meters_{model._meta.model_name}_changelist")


def act_url(row, path):
    page = reverse(f"admin:meters_{row._meta.model_name}_change", args=[row.pk])
    return page.replace("/change/", f"/{path}/")


class TestRegistrationRequests:
    @pytest.fixture
    def wish(self, now):
        registration = Registration(account_number="A-9", owner_name="Nia New", meter_serials=("SG-9",))
        return request_registration(registration=registration, actor=Actor(), now=now)

    def test_bind_their_meters_once_confirmed(self, manager_client, wish):
        manager_client.post(list_url(RegistrationRequest), {"action": "confirm_all", "_selected_action": [wish.pk]})

        wish.refresh_from_db()
        assert wish.status == "confirmed"
        assert wish.account.bindings.get().service_point.installations.get().meter.serial == "SG-9"

    def test_bind_nothing_when_declined(self, manager_client, wish):
        manager_client.post(act_url(wish, "decline"), {"note": "Not ours."})

        wish.refresh_from_db()
        assert (wish.status, wish.note) == ("declined", "Not ours.")
        assert not Installation.objects.exists()

    def test_tell_when_they_were_decided_before(self, manager_client, wish):
        manager_client.post(act_url(wish, "decline"), {})

        answer = manager_client.post(act_url(wish, "confirm"), {})

        assert "was declined before" in answer.text
