"""Metered energy as billing asks for it, without readings: what a test says each account used."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest

import billing.tasks  # noqa: F401  workers import it themselves
from billing.services import drafting
from energy_portal.shared.clock import Period
from meters.models import Binding
from meters.selectors.quantities import MeteredQuantity, QuantityRequest, ReadUsed


class Meters:
    """Answers like ``metered_quantities``: a constant 10 kWh a day at each bound place unless told otherwise."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.daily_kwh: dict[UUID, Decimal | None] = {}
        self.before: Callable[[], None] = lambda: None

    def __call__(self, *, requests: list[QuantityRequest], now: datetime) -> dict[UUID, list[MeteredQuantity]]:
        self.before()
        self.asked.append(len(requests))
        cuts = {request.account_id: request.cuts for request in requests}
        answer: dict[UUID, list[MeteredQuantity]] = {request.account_id: [] for request in requests}
        bindings = (
            Binding.objects.filter(account__in=cuts).select_related("service_point").order_by("service_point__code")
        )
        for binding in bindings:
            for start, end in pairwise(cuts[binding.account_id]):
                bound = Period(binding.valid.lower, binding.valid.upper or datetime(2100, 1, 1, tzinfo=UTC))
                period = Period(start, end).intersect(bound)
                if period is not None:
                    answer[binding.account_id].append(self._quantity(binding, period))
        return answer

    def _quantity(self, binding: Binding, period: Period) -> MeteredQuantity:
        daily = self.daily_kwh.get(binding.account_id, Decimal(10))
        energy = None if daily is None else daily * Decimal(period.duration.total_seconds()) / 86_400
        reads = tuple(
            ReadUsed("SG-1", "1.8.0", time, value, 17, "boundary")
            for time, value in ((period.start, Decimal(1000)), (period.end, 1000 + (energy or Decimal(0))))
        )
        return MeteredQuantity(
            service_point_id=binding.service_point_id,
            service_point_code=binding.service_point.code,
            period=period,
            energy_kwh=energy,
            complete=energy is not None,
            estimated_share=Decimal(0),
            reads=reads,
        )


@pytest.fixture
def meters(monkeypatch: pytest.MonkeyPatch) -> Meters:
    made = Meters()
    monkeypatch.setattr(drafting, "metered_quantities", made)
    return made
