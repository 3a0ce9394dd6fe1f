"""How often those who know said that an anomaly was one."""

from datetime import UTC, datetime, timedelta

import pytest

from meters.insights.models import Baseline
from meters.insights.selectors.precision import precision_between
from tests.factories import AlarmFactory, AnomalyFactory

pytestmark = pytest.mark.django_db

START = datetime(2025, 3, 1, tzinfo=UTC)
END = START + timedelta(weeks=4)


def anomaly(kind, verdict="", **more):
    start = START + timedelta(days=3)
    return AnomalyFactory(kind=kind, verdict=verdict, start=start, end=start + timedelta(hours=1), **more)


def by_group(found):
    return {each.group: (each.found, each.real, each.normal) for each in found}


class TestPrecision:
    def test_is_the_share_of_the_judged_that_was_real(self):
        for verdict in ("real", "real", "normal", ""):
            anomaly("spike", verdict)

        found = precision_between(START, END)

        assert (found.overall.found, found.overall.real, found.overall.normal) == (4, 2, 1)
        assert found.overall.share == pytest.approx(2 / 3)

    def test_is_not_told_while_nobody_judged(self):
        anomaly("spike")

        assert precision_between(START, END).overall.share is None

    def test_tells_kinds_cohorts_and_detectors_apart(self):
        anomaly("spike", "real", detectors={"change": 0.95, "forest": 0.2}, cohort="a")
        anomaly("stuck", "normal", detectors={"change": 0.1, "forest": 0.99}, cohort="b")

        found = precision_between(START, END)

        assert by_group(found.by_kind) == {"Spike": (1, 1, 0), "stuck value": (1, 0, 1)}
        assert by_group(found.by_cohort) == {"a": (1, 1, 0), "b": (1, 0, 1)}
        assert by_group(found.by_detector) == {"change": (1, 1, 0), "forest": (1, 0, 1)}

    def test_counts_what_began_in_the_period_alone(self):
        anomaly("spike")

        assert precision_between(END, END + timedelta(weeks=1)).overall.found == 0

    def test_tells_alarms_a_meter_and_week(self):
        anomaly("spike", alarm=AlarmFactory())
        anomaly("spike")
        for number in range(2):
            Baseline.objects.create(
                subject_kind="service_point",
                subject=str(number),
                zone="UTC",
                made_at=START,
                until=START,
                watched_since=START - timedelta(weeks=2),
                scored_until=START + timedelta(weeks=2),
            )

        found = precision_between(START, END)

        assert found.meter_weeks == pytest.approx(4)
        assert found.alerts_a_meter_and_week == pytest.approx(0.25)
