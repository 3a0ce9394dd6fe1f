"""Several workers that score at once leave each score once, and sums that hold each once."""

import numpy as np
import pytest

from meters.insights.models import Forecast, ForecastScore, ScoreDay
from meters.insights.services.scoring import score_due
from meters.insights.tallies import Tally
from meters.models import ServicePoint
from tests.factories import ForecastFactory, supplied_register
from tests.meters.helpers import in_thread
from tests.meters.insights.half_hourly import count
from tests.meters.insights.test_scoring import DAY, ORIGIN, START

pytestmark = pytest.mark.django_db(transaction=True)

HOMES = 8


def score_all() -> int:
    looked_at = 0
    while some := score_due(now=ORIGIN + 10 * DAY, limit=2):
        looked_at += some
    return looked_at


class TestScoreDue:
    def test_is_shared_by_workers(self):
        for number in range(HOMES):
            register = supplied_register()
            count(register, START, np.full(30 * 48, 0.25))
            place = ServicePoint.objects.get(installations__meter=register.meter)
            ForecastFactory(subject=place.code, origin=ORIGIN, median=[0.2 + 0.01 * number] * 96)

        workers = [in_thread(score_all) for _ in range(3)]

        assert sum(wait() for wait in workers) == HOMES
        assert not Forecast.objects.filter(scored_until=None).exists()
        assert ForecastScore.objects.count() == HOMES * 3 * 2
        assert ScoreDay.objects.count() == 3 * 2
        for row in ScoreDay.objects.all():
            mine = ForecastScore.objects.filter(forecaster=row.forecaster, day_ahead=row.day_ahead)
            single = sum(map(Tally.of, mine), Tally())
            assert (row.forecasts, Tally.of(row).values) == (HOMES, pytest.approx(single.values))
