"""Regions drawn while meters move: whichever comes first, each meter ends up where it lies."""

from threading import Thread
from time import monotonic, sleep

import pytest
from django.db import connection, transaction

from accounts.actors import PORTAL
from meters.models import Meter, Region
from meters.services.regions import hold_regions, place_meters, save_region
from tests.factories import MeterFactory, RegionFactory
from tests.meters.test_regions import CENTRE, NOW

pytestmark = pytest.mark.django_db(transaction=True)
LONGEST_SECONDS = 20


def beside(deed):
    """Start a deed on a connection of its own; return its thread and where its end is noted."""
    outcome = []

    def run():
        try:
            deed()
            outcome.append("done")
        except Exception as error:  # noqa: BLE001
            outcome.append(error)
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread, outcome


def wait_for_a_waiter():
    """Wait until somebody waits for the lock on regions."""
    end = monotonic() + LONGEST_SECONDS
    while monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone()[0]:
                return
        sleep(0.01)
    raise AssertionError("Nobody waits.")


def move(meter, latitude):
    with transaction.atomic():
        hold_regions()
        Meter.objects.filter(pk=meter.pk).update(latitude=latitude, longitude=103.8)
        place_meters([meter.pk])


def draw(region=None, **values):
    save_region(
        region=region, values={**({} if region else {"name": "New", **CENTRE}), **values}, actor=PORTAL, now=NOW
    )


class TestRegionsDrawnWhileMetersMove:
    def test_take_in_a_meter_that_came_meanwhile(self):
        meter = MeterFactory()
        with transaction.atomic():
            move(meter, 1.35)
            thread, outcome = beside(draw)
            wait_for_a_waiter()
        thread.join(LONGEST_SECONDS)

        assert outcome == ["done"]
        assert Meter.objects.get(pk=meter.pk).region.name == "New"

    def test_let_a_meter_go_that_leaves_meanwhile(self):
        region = RegionFactory(**CENTRE)
        meter = MeterFactory(latitude=1.35, longitude=103.8, region=region)
        with transaction.atomic():
            draw(region, radius_m=4_000)
            thread, outcome = beside(lambda: move(meter, 1.45))
            wait_for_a_waiter()
        thread.join(LONGEST_SECONDS)

        assert outcome == ["done"]
        assert Meter.objects.get(pk=meter.pk).region is None

    def test_do_not_wait_for_one_another_in_a_circle(self):
        meters = [MeterFactory(latitude=1.35, longitude=103.8) for _ in range(6)]
        region = RegionFactory(**CENTRE)

        def redraw():
            for radius in (2_000, 9_000, 3_000, 8_000):
                draw(region, radius_m=radius)

        def wander(order):
            for latitude in (1.36, 1.40, 1.37, 1.41):
                for meter in order:
                    move(meter, latitude)

        runs = [beside(redraw), beside(lambda: wander(meters)), beside(lambda: wander(meters[::-1]))]
        for thread, _ in runs:
            thread.join(LONGEST_SECONDS)

        region.refresh_from_db()
        assert [outcome for _, outcome in runs] == [["done"]] * 3
        assert set(Meter.objects.values_list("latitude", "region")) == {(1.41, region.pk)}
        assert Region.objects.with_counts().get().meter_count == 6
