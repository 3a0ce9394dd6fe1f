import pytest
from django.urls import reverse

from accounts.models import AuditEntry
from meters.models import DomainEvent, EventDelivery
from meters.services import outbox
from meters.services.outbox import NewEvent, publish, register_consumer
from tests.factories import ServicePointFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]

LIST = reverse("admin:meters_eventdelivery_changelist")


def retry_url(delivery):
    return reverse("admin:meters_eventdelivery_try_again", args=[delivery.pk])


class Listener:
    """A consumer that refuses while it is told to."""

    def __init__(self):
        self.heard, self.refusing = [], True

    def handle(self, event, now):
        if self.refusing:
            raise RuntimeError("The bill is locked.")
        self.heard.append(event.pk)


@pytest.fixture
def listener(monkeypatch):
    monkeypatch.setattr(outbox, "_consumers", {})
    made = Listener()
    register_consumer("ledger", kinds=[DomainEvent.Kind.CHAIN_CHANGED], handle=made.handle)
    return made


@pytest.fixture
def deliveries(listener, now):
    """Three events at one place, in order."""
    place = ServicePointFactory()
    publish([NewEvent(DomainEvent.Kind.CHAIN_CHANGED, place.pk) for _ in range(3)], now=now)
    return list(EventDelivery.objects.order_by("event"))


class TestTryAgain:
    def test_asks_before_it_does_anything(self, manager_client, deliveries, listener):
        listener.refusing = False

        answer = manager_client.get(retry_url(deliveries[0]))

        assert answer.status_code == 200
        assert listener.heard == []

    def test_handles_what_waits_before_it_first(self, manager_client, deliveries, listener):
        listener.refusing = False

        manager_client.post(retry_url(deliveries[1]))

        assert listener.heard == [deliveries[0].event_id, deliveries[1].event_id]
        assert EventDelivery.objects.get(handled_at=None) == deliveries[2]
        assert AuditEntry.objects.get(action="event.tried_again").object_id == str(deliveries[1].pk)

    def test_tells_why_it_failed_again(self, manager_client, deliveries):
        answer = manager_client.post(retry_url(deliveries[0]))

        assert "The bill is locked." in answer.text
        assert EventDelivery.objects.get(pk=deliveries[0].pk).attempts == 1

    def test_says_so_when_nobody_listens_any_more(self, manager_client, deliveries, monkeypatch):
        monkeypatch.setattr(outbox, "_consumers", {})

        assert "Nobody called ledger listens" in manager_client.post(retry_url(deliveries[0])).text

    def test_handles_the_selected_in_order(self, manager_client, deliveries, listener):
        listener.refusing = False
        chosen = [delivery.pk for delivery in reversed(deliveries)]

        manager_client.post(LIST, {"action": "try_again_each", "_selected_action": chosen})

        assert listener.heard == [delivery.event_id for delivery in deliveries]


class TestLists:
    def test_tell_waiting_failed_and_handled_apart(self, manager_client, deliveries, listener, now):
        manager_client.post(retry_url(deliveries[0]))
        EventDelivery.objects.filter(pk=deliveries[2].pk).update(handled_at=now)

        found = {
            state: [row.pk for row in manager_client.get(LIST, {"state": state}).context["cl"].result_list]
            for state in ("waiting", "failed", "handled")
        }

        assert found == {
            "waiting": [deliveries[1].pk, deliveries[0].pk],
            "failed": [deliveries[0].pk],
            "handled": [deliveries[2].pk],
        }

    def test_count_who_waits_for_an_event(self, manager_client, deliveries):
        answer = manager_client.get(reverse("admin:meters_domainevent_changelist"))

        assert [event.waiting_count for event in answer.context["cl"].result_list] == [1, 1, 1]

    def test_show_an_event_with_its_deliveries(self, manager_client, deliveries):
        answer = manager_client.get(reverse("admin:meters_domainevent_change", args=[deliveries[0].event_id]))

        assert "ledger" in answer.text
