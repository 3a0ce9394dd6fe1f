"""Consumption of many meters at once."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import MayQuery, asking_person
from accounts.models import User
from accounts.roles import STAFF_ROLES
from meters.api.consumption_serializers import ConsumptionOut, PortfolioOut, PortfolioQuery, period_name
from meters.selectors.access import accounts_for, meters_for, periods_of
from meters.selectors.consumption import Granularity, named_period
from meters.selectors.periods import past_instant
from meters.selectors.portfolio import (
    MOST_MEMBERS,
    Portfolio,
    Wanted,
    accounts_portfolio,
    class_consumption,
    common_zone,
    meters_portfolio,
    zones_of,
)


class PortfolioView(APIView):
    """Energy of several meters or accounts, or of all places of a commodity."""

    permission_classes = (MayQuery,)

    @extend_schema(
        operation_id="consumption",
        tags=["meters"],
        parameters=[PortfolioQuery],
        responses=PortfolioOut,
        description=(
            f"What up to {MOST_MEMBERS} meters or accounts used together, and each of them, by day, week or month; "
            "without a name what all places of a commodity and class used, up to the last local midnight, for managers "
            "and data sources. Days are summed ahead; what is not yet summed is taken from the readings, so that "
            "answers are right at once. The clock is that of the places where they share one, otherwise the portal's. "
            "The period is the current month unless told. `complete` and `null` mean what they mean of one meter; "
            "a total is complete when every member is, and one that hung nowhere in the period is not."
        ),
    )
    def get(self, request: Request) -> Response:
        query = PortfolioQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked, user = query.validated_data, asking_person(request)
        if asked["meter_id"]:
            return _of_meters(asked, user)
        if asked["account_id"]:
            return _of_accounts(asked, user)
        return _of_all(asked, user)


def _of_meters(asked: dict[str, Any], user: User | None) -> Response:
    meters = meters_for(serials=asked["meter_id"], user=user)
    wanted = _wanted(asked, zones_of(meters=meters))
    portfolio = meters_portfolio(meters=meters, wanted=wanted, within=periods_of(meters=meters, user=user))
    return _answer(portfolio, wanted, "meter_id")


def _of_accounts(asked: dict[str, Any], user: User | None) -> Response:
    accounts = accounts_for(numbers=asked["account_id"], user=user)
    wanted = _wanted(asked, [account.zone for account in accounts])
    portfolio = accounts_portfolio(accounts=accounts, commodity=asked["commodity"], wanted=wanted)
    return _answer(portfolio, wanted, "account_id")


def _of_all(asked: dict[str, Any], user: User | None) -> Response:
    if user is not None and user.role not in STAFF_ROLES:
        raise PermissionDenied("Name meters or accounts.", code="missing_role")
    wanted = _wanted(asked, [])
    total = class_consumption(commodity=asked["commodity"], service_class=asked.get("service_class"), wanted=wanted)
    return Response(ConsumptionOut(context=_context(wanted)).to_representation(total))


def _wanted(asked: dict[str, Any], zones: list[str]) -> Wanted:
    now, zone = timezone.now(), common_zone(zones)
    return Wanted(
        period=named_period(period_name(asked), now=now, zone=zone, from_=asked.get("from"), to=asked.get("to")),
        granularity=Granularity(asked["granularity"]),
        now=now,
        zone=zone,
        direction=asked["direction"],
        as_of=past_instant(asked.get("as_of"), now=now, zone=zone),
    )


def _answer(portfolio: Portfolio, wanted: Wanted, label: str) -> Response:
    members = [
        ConsumptionOut(context=_context(wanted, {label: name})).to_representation(each)
        for name, each in portfolio.members.items()
    ]
    return Response({**ConsumptionOut(context=_context(wanted)).to_representation(portfolio.total), "members": members})


def _context(wanted: Wanted, of: dict[str, str] | None = None) -> dict[str, Any]:
    return {"zone": wanted.zone, "of": of or {}, "direction": wanted.direction}
