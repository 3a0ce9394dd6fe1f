"""Alarms come to pages that are open."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.db import connection
from django.utils import timezone
from playwright.sync_api import expect

from meters import tasks
from meters.services import alarms

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def channels(cache, monkeypatch):
    """Have tasks, which run where they are sent, reach the server's websockets."""
    layer = RedisPubSubChannelLayer(hosts=[{"address": cache}])
    monkeypatch.setattr(tasks, "get_channel_layer", lambda: layer)


def elsewhere(service, **how) -> None:
    """Call a service in a thread of its own: in this one the browser's driver has an event loop."""

    def call():
        try:
            service(subject_kind="device", subject="kettle-1", kind="over_temperature", now=timezone.now(), **how)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


def raise_alarm(household) -> None:
    elsewhere(
        alarms.raise_alarm,
        label="Kettle",
        text="The temperature of Kettle is 91 °C; 80 °C or more is too high.",
        severity="critical",
        account_id=household.account.pk,
    )


class TestAlarmsPage:
    def test_shows_an_alarm_by_itself_and_that_it_is_over(self, anywhere, household):
        page = anywhere.page
        anywhere.log_in(household.user)
        anywhere.open("/alarms")
        expect(page.get_by_text("Live: alarms appear here by themselves.")).to_be_visible()
        expect(page.get_by_role("heading", name="All is well")).to_be_visible()
        anywhere.expect_sound()

        raise_alarm(household)

        expect(page.get_by_text("Urgent: Kettle")).to_be_visible()
        anywhere.expect_sound()

        elsewhere(alarms.clear_alarm)

        expect(page.get_by_role("heading", name="Over")).to_be_visible()
        expect(page.get_by_text("Urgent: Kettle")).to_be_hidden()
        anywhere.expect_sound()


class TestHome:
    def test_has_a_strip_of_alarms_as_soon_as_there_is_one(self, visitor, household):
        page = visitor.page
        with page.expect_websocket():
            visitor.log_in(household.user)

        raise_alarm(household)

        strip = page.get_by_role("region", name="Alarms")
        expect(strip.get_by_text("Urgent: Kettle")).to_be_visible()
        visitor.expect_sound()
        strip.get_by_role("link", name="All about alarms").click()
        expect(page).to_have_url(f"{visitor.site}/alarms")
