"""Alarms come to pages that are open."""

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.utils import timezone
from playwright.sync_api import expect

from meters import tasks
from meters.services import alarms

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tell(cache, monkeypatch):
    """Tell open pages as a worker does, of which there are none here."""
    layer = RedisPubSubChannelLayer(hosts=[{"address": cache}])
    monkeypatch.setattr(tasks, "get_channel_layer", lambda: layer)
    return tasks.tell_of_alarms


def raise_alarm(household) -> None:
    alarms.raise_alarm(
        subject_kind="device",
        subject="kettle-1",
        label="Kettle",
        kind="over_temperature",
        text="The temperature of Kettle is 91 °C; 80 °C or more is too high.",
        severity="critical",
        account_id=household.account.pk,
        now=timezone.now(),
    )


def clear_alarm() -> None:
    alarms.clear_alarm(subject_kind="device", subject="kettle-1", kind="over_temperature", now=timezone.now())


class TestAlarmsPage:
    def test_shows_an_alarm_by_itself_and_that_it_is_over(self, anywhere, household, tell):
        page = anywhere.page
        anywhere.log_in(household.user)
        anywhere.open("/alarms")
        expect(page.get_by_text("Live: alarms appear here by themselves.")).to_be_visible()
        expect(page.get_by_role("heading", name="All is well")).to_be_visible()
        anywhere.expect_sound()

        raise_alarm(household)
        tell()

        expect(page.get_by_text("Urgent: Kettle")).to_be_visible()
        anywhere.expect_sound()

        clear_alarm()
        tell()

        expect(page.get_by_role("heading", name="Over")).to_be_visible()
        expect(page.get_by_text("Urgent: Kettle")).to_be_hidden()
        anywhere.expect_sound()


class TestHome:
    def test_has_a_strip_of_alarms_as_soon_as_there_is_one(self, visitor, household, tell):
        page = visitor.page
        with page.expect_websocket():
            visitor.log_in(household.user)

        raise_alarm(household)
        tell()

        strip = page.get_by_role("region", name="Alarms")
        expect(strip.get_by_text("Urgent: Kettle")).to_be_visible()
        visitor.expect_sound()
        strip.get_by_role("link", name="All about alarms").click()
        expect(page).to_have_url(f"{visitor.site}/alarms")
