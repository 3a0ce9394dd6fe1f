"""Consumption: the published path and the meter's own."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import MayQuery, asking_person
from energy_portal.shared.clock import Period, zone
from meters.api.consumption_serializers import ConsumptionOut, ConsumptionQuery, SeriesQuery, period_name
from meters.selectors.access import account_for, meter_for, periods_for
from meters.selectors.consumption import (
    Granularity,
    PeriodName,
    account_consumption,
    account_period,
    meter_consumption,
    meter_period,
    meter_zone,
)
from meters.selectors.periods import past_instant

_LONGEST_BY_HALF_HOUR = timedelta(days=2)
_DESCRIPTION = (
    "Missing is never zero. A period that still runs counts up to the last half-hour that has ended, and `period` "
    "says so. `consumption_kwh` is the energy of the known part of the period, null where nothing is known; "
    "`complete` tells whether the known part is all of it, so that `today` shows what was used so far. An edge "
    "between two reads at most two hours apart is taken from the line between them; `estimated_share` is the part of "
    "the energy that rests on such edges. `last_30_minutes` is the newest known half-hour of the last 24 hours. In "
    "`series` an interval is known as a whole or null; only the last one of a running period shows its part so far. "
    "Without `granularity` it is half-hours up to two days, otherwise days. A meter is followed wherever it hung; an "
    "account over all its places and through exchanges. Customers see their own times of supply only. With `as_of` "
    "the answer is what was known at that instant: later readings are not there yet, and what was superseded later "
    "still stands. `direction=export` answers what went out. `unit` is that of `consumption`: kWh, m³ or GJ; an "
    "interval's `value` is given where it is not kWh. A meter that has both a dial and half-hours of the same flow is "
    "counted by its dial, and by its half-hours where the dial does not tell."
)
_EXAMPLE = OpenApiExample(
    "last month",
    response_only=True,
    value={
        "meter_id": "SG-000123",
        "period": {"from": "2025-02-01T00:00:00+08:00", "to": "2025-03-01T00:00:00+08:00"},
        "direction": "import",
        "unit": "kWh",
        "consumption": 450.5,
        "consumption_kwh": 450.5,
        "complete": True,
        "estimated_share": 0,
        "as_of": "2025-03-15T12:00:00+08:00",
        "series": [{"from": "2025-02-01T00:00:00+08:00", "kwh": 15.2, "quality": 17}],
    },
)


class GetConsumptionView(APIView):
    """Energy of a meter or an account: the published path."""

    permission_classes = (MayQuery,)

    @extend_schema(
        operation_id="get_consumption",
        tags=["published paths"],
        parameters=[ConsumptionQuery],
        responses=ConsumptionOut,
        description=f"{_DESCRIPTION} The period is the current month unless told.",
        examples=[_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        query = ConsumptionQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        if "meter_id" in asked:
            return _of_meter(request, asked["meter_id"], asked)
        return _of_account(request, asked["account_id"], asked)


class MeterConsumptionView(APIView):
    """Energy of a meter."""

    permission_classes = (MayQuery,)

    @extend_schema(
        operation_id="meter_consumption",
        tags=["meters"],
        parameters=[SeriesQuery],
        responses=ConsumptionOut,
        description=f"{_DESCRIPTION} The period is the current month unless told.",
        examples=[_EXAMPLE],
    )
    def get(self, request: Request, serial: str) -> Response:
        query = SeriesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        return _of_meter(request, serial, query.validated_data)


class MeterProfileView(APIView):
    """The half-hours of a meter."""

    permission_classes = (MayQuery,)

    @extend_schema(
        operation_id="meter_profile",
        tags=["meters"],
        parameters=[SeriesQuery],
        responses=ConsumptionOut,
        description="Half-hours of a period, today's unless told, each from the reads at both its ends or null.",
    )
    def get(self, request: Request, serial: str) -> Response:
        query = SeriesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = {"granularity": Granularity.HALF_HOUR, **query.validated_data}
        return _of_meter(request, serial, asked, default=PeriodName.TODAY)


def _of_meter(
    request: Request, serial: str, asked: dict[str, Any], *, default: PeriodName = PeriodName.MONTH
) -> Response:
    user, now = asking_person(request), timezone.now()
    meter = meter_for(serial=serial, user=user)
    within = periods_for(meter=meter, user=user)
    site = meter_zone(meter=meter)
    as_of = past_instant(asked.get("as_of"), now=now, zone=site)
    period = meter_period(
        meter=meter,
        name=period_name(asked, default),
        now=now,
        zone=site,
        from_=asked.get("from"),
        to=asked.get("to"),
        within=within,
        as_of=as_of,
        direction=asked["direction"],
    )
    consumption = meter_consumption(
        meter=meter,
        period=period,
        granularity=_granularity(asked, period),
        now=now,
        zone=site,
        within=within,
        as_of=as_of,
        direction=asked["direction"],
    )
    context = {"zone": site, "of": {"meter_id": meter.serial}, "direction": asked["direction"]}
    return Response(ConsumptionOut(context=context).to_representation(consumption))


def _of_account(request: Request, account_number: str, asked: dict[str, Any]) -> Response:
    now = timezone.now()
    account = account_for(number=account_number, user=asking_person(request))
    site = zone(account.zone)
    which = {
        "as_of": past_instant(asked.get("as_of"), now=now, zone=site),
        "direction": asked["direction"],
        "commodity": asked["commodity"],
    }
    period = account_period(
        account=account,
        name=period_name(asked),
        now=now,
        from_=asked.get("from"),
        to=asked.get("to"),
        **which,
    )
    consumption = account_consumption(
        account=account, period=period, granularity=_granularity(asked, period), now=now, **which
    )
    context = {"zone": site, "of": {"account_id": account.number}, "direction": asked["direction"]}
    return Response(ConsumptionOut(context=context).to_representation(consumption))


def _granularity(asked: dict[str, Any], period: Period) -> Granularity:
    if asked.get("granularity"):
        return Granularity(asked["granularity"])
    return Granularity.HALF_HOUR if period.duration <= _LONGEST_BY_HALF_HOUR else Granularity.DAY
