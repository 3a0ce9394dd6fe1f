"""The published paths of batteries: lists of names, and pages of readings that are counted and skipped."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import asking_person
from meters.batteries.api.callers import MayAskOfBatteries
from meters.batteries.api.serializers import PAGE_OUT, BatteryNamesOut
from meters.batteries.quantities import System
from meters.batteries.selectors.batteries import battery_for, names_of_those_that_told
from meters.batteries.selectors.readings import reading_page

MOST_ROWS = 10_000


class PageQuery(serializers.Serializer[Any]):
    """Which readings."""

    batch_size = serializers.IntegerField(default=100, min_value=1, max_value=MOST_ROWS)
    skip = serializers.IntegerField(default=0, min_value=0, help_text="How many of the oldest are left out.")


class _Published(APIView):
    permission_classes = (MayAskOfBatteries,)
    system: System


class _Names(_Published):
    def get(self, request: Request) -> Response:
        names = names_of_those_that_told(system=self.system, user=asking_person(request))
        return Response({"devices": names, "count": len(names)})


class _Page(_Published):
    def get(self, request: Request, battery_id: str) -> Response:
        query = PageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        size, skip = query.validated_data["batch_size"], query.validated_data["skip"]
        battery = battery_for(battery_id=battery_id, user=asking_person(request))
        total, rows = reading_page(system=self.system, battery=battery, skip=skip, size=size)
        answer = {"device_id": battery.battery_id, "batch_size": size, "skip": skip, "total": total, "data": rows}
        return Response(answer)


def _names_schema(system: System) -> Any:
    return extend_schema(
        operation_id=f"{system}_devices",
        tags=["published paths"],
        responses=BatteryNamesOut,
        description=f"The batteries whose {system.upper()} ever told anything, of those that the caller may see.",
        examples=[OpenApiExample("one", value={"devices": ["ZHPESS232A230002"], "count": 1}, response_only=True)],
    )


def _page_schema(system: System) -> Any:
    return extend_schema(
        operation_id=f"{system}_readings",
        tags=["published paths"],
        parameters=[PageQuery],
        responses=PAGE_OUT[system],
        description=(
            f"What a battery's {system.upper()} told, the oldest first. Counting and skipping read what they pass: for "
            f"long histories ask `/api/v1/batteries/{{id}}/{system}`, which pages by cursor."
        ),
    )


@extend_schema_view(get=_names_schema(System.BMS))
class BMSNamesView(_Names):
    """The batteries with a BMS."""

    system = System.BMS


@extend_schema_view(get=_names_schema(System.PCS))
class PCSNamesView(_Names):
    """The batteries with a PCS."""

    system = System.PCS


@extend_schema_view(get=_page_schema(System.BMS))
class BMSPageView(_Page):
    """BMS readings of a battery."""

    system = System.BMS


@extend_schema_view(get=_page_schema(System.PCS))
class PCSPageView(_Page):
    """PCS readings of a battery."""

    system = System.PCS
