import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from meters.models import RegisterReading
from tests.factories import supplied_register
from tests.meters.test_estimating import after, offer

pytestmark = pytest.mark.django_db


def url_of(register):
    change = reverse("admin:meters_meter_change", args=[register.meter.pk])
    return change.replace("/change/", "/estimate/")


def stretch(start, end):
    return {
        name: timezone.localtime(after(hours)).strftime("%Y-%m-%dT%H:%M")
        for name, hours in (("start", start), ("end", end))
    }


class TestEstimateMissingHalfHours:
    def test_is_offered_on_a_meters_page(self, manager_client):
        register = supplied_register()

        page = manager_client.get(reverse("admin:meters_meter_change", args=[register.meter.pk])).content.decode()

        assert "Estimate missing half-hours" in page
        assert url_of(register) in page

    def test_asks_for_yesterday_first(self, manager_client, time_machine):
        time_machine.move_to(after(24), tick=False)

        page = manager_client.get(url_of(supplied_register())).content.decode()

        assert 'value="2025-03-11T00:00"' in page
        assert 'value="2025-03-12T00:00"' in page

    def test_estimates_and_says_how_many(self, manager_client):
        register = supplied_register()
        offer(register, (after(0), 100), (after(2), 104))

        page = manager_client.post(url_of(register), stretch(0, 2), follow=True).content.decode()

        assert "3 half-hours estimated." in page
        assert RegisterReading.objects.filter(quality=9).count() == 3
        assert AuditEntry.objects.get(action="register.estimated").user.role == "manager"

    def test_says_why_nothing_was_estimated(self, manager_client):
        register = supplied_register()
        offer(register, (after(0), 100))

        page = manager_client.post(url_of(register), stretch(0, 20), follow=True).content.decode()

        assert "0 half-hours estimated. Neither what the register counted is known" in page

    def test_says_when_nothing_is_missing(self, manager_client):
        register = supplied_register()
        offer(register, (after(0), 100), (after(0.5), 101))

        page = manager_client.post(url_of(register), stretch(0, 0.5), follow=True).content.decode()

        assert "Nothing is missing there." in page

    def test_asks_again_for_a_stretch_that_cannot_be(self, manager_client):
        page = manager_client.post(url_of(supplied_register()), stretch(2, 0)).content.decode()

        assert "A stretch ends after it starts, and has begun." in page
