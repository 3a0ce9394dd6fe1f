"""Readings that change have the forecasts before them looked at again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR
from meters import store
from meters.insights.models import Forecast, ForecastScore
from meters.insights.services.rescoring import CONSUMER, FARTHEST, SUMS_WAIT, hear
from meters.insights.services.scoring import score_due
from meters.models import DomainEvent, EventDelivery, Meter, ServicePoint
from meters.services.deliveries import deliver_events
from meters.services.outbox import NewEvent, publish
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import CustomerAccountFactory, ForecastFactory, RegionFactory, supplied_register
from tests.meters.insights.half_hourly import count

pytestmark = pytest.mark.django_db

START = datetime(2025, 2, 28, 16, tzinfo=UTC)
ORIGIN = START + timedelta(days=28)
DAY = timedelta(days=1)
NOW = ORIGIN + 10 * DAY
_Kind = DomainEvent.Kind


@pytest.fixture
def register():
    return supplied_register(account=CustomerAccountFactory(number="A-7"))


@pytest.fixture
def place(register):
    return ServicePoint.objects.get(installations__meter=register.meter)


def scored(place=None, *, origin=ORIGIN, **more) -> Forecast:
    subject = {"subject": place.code} if place else {}
    return ForecastFactory(**{"origin": origin, "scored_until": origin + 2 * DAY, **subject, **more})


def event(place, start, end, kind=_Kind.READING_SUPERSEDED) -> DomainEvent:
    return DomainEvent.objects.create(kind=kind, service_point=place, start=start, end=end, recorded_at=NOW)


def marked() -> dict[int, datetime]:
    return dict(Forecast.objects.exclude(look_again_at=None).values_list("pk", "look_again_at"))


class TestHear:
    def test_marks_what_was_forecast_of_the_stretch_and_nothing_else(self, place):
        before, during, after = (scored(place, origin=ORIGIN + days * DAY) for days in (-3, 0, 4))
        scored(origin=ORIGIN, subject="SP-elsewhere")

        hear(event(place, ORIGIN + timedelta(hours=30), ORIGIN + timedelta(hours=31)), NOW)

        assert marked() == {during.pk: NOW}
        assert {before.pk, after.pk}.isdisjoint(marked())

    def test_marks_what_the_place_is_a_part_of_for_later(self, place):
        region = RegionFactory(name="East")
        Meter.objects.update(region=region)
        account = scored(subject_kind="account", subject="A-7")
        of_region = scored(subject_kind="region", subject="East")
        everything = scored(subject_kind="portal", subject="")
        scored(subject_kind="account", subject="A-8")
        scored(subject_kind="region", subject="West")

        hear(event(place, ORIGIN, ORIGIN + DAY), NOW)
        hear(event(place, ORIGIN, ORIGIN + DAY), NOW + timedelta(hours=1))

        assert marked() == dict.fromkeys((account.pk, of_region.pk, everything.pk), NOW + SUMS_WAIT)

    def test_a_change_of_the_chain_reaches_to_the_present(self, place):
        forecasts = [scored(place, origin=ORIGIN + days * DAY) for days in (-3, 0, 5)]

        hear(event(place, ORIGIN, None, _Kind.CHAIN_CHANGED), NOW)

        assert marked().keys() == {forecast.pk for forecast in forecasts[1:]}

    def test_leaves_alone_what_was_not_looked_at_yet_and_what_is_long_ago(self, place):
        scored(place, scored_until=None)
        scored(place, origin=ORIGIN - FARTHEST)
        scored(place, quantity="soc_percent")

        hear(event(place, ORIGIN - 2 * FARTHEST, ORIGIN + DAY), NOW)

        assert marked() == {}

    def test_has_no_place_to_go_by_without_one(self):
        scored()

        hear(event(None, ORIGIN, ORIGIN + DAY), NOW)

        assert marked() == {}


class TestOutbox:
    def test_hands_events_of_readings_over(self, place):
        forecast = scored(place)

        publish([NewEvent(_Kind.GAP_CLOSED, place.pk, start=ORIGIN, end=ORIGIN + DAY)], now=NOW)
        deliver_events(now=NOW)

        assert EventDelivery.objects.get(consumer=CONSUMER).handled_at == NOW
        assert marked() == {forecast.pk: NOW}

    def test_a_true_reading_in_an_estimates_place_has_the_day_scored_anew(self, register, place):
        gap = range(28 * 48 + 1, 28 * 48 + 25)
        count(register, START, np.full(30 * 48, 0.25), estimated=gap)
        store.add_states([register.pk])
        store.refresh_states([register.pk])
        store.refresh_estimated({register.pk: START + gap[0] * HALF_HOUR})
        forecast = ForecastFactory(subject=place.code, origin=ORIGIN, median=[0.25] * 96)
        now = ORIGIN + 5 * DAY
        score_due(now=now)
        assert ForecastScore.objects.get(forecaster="blend", day_ahead=1).half_hours == 23

        reads = [
            OfferedReading(
                meter_id=register.meter.serial,
                timestamp=START + number * HALF_HOUR,
                value=Decimal(100) + number * Decimal("0.25"),
            )
            for number in gap
        ]
        receive_readings(readings=reads, actor=PORTAL, now=now)
        deliver_events(now=now)
        score_due(now=now)

        forecast.refresh_from_db()
        assert ForecastScore.objects.get(forecaster="blend", day_ahead=1).half_hours == 48
        assert forecast.look_again_at is None
