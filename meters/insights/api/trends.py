"""How batteries age."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from accounts.api.permissions import asking_person
from meters.batteries.api.callers import MayAskOfBatteries
from meters.batteries.selectors.batteries import battery_for
from meters.insights.models import BatteryTrend
from meters.insights.selectors.battery_health import trends_of


class BatteryTrendOut(serializers.ModelSerializer[BatteryTrend]):
    """Where a quantity of a battery's health was on a day; of the day that was the newest also where it leads."""

    class Meta:
        model = BatteryTrend
        fields = (
            "day",
            "quantity",
            "value",
            "samples",
            "conditions",
            "level",
            "slope_a_day",
            "threshold",
            "days_to_threshold",
            "days_soonest",
            "days_latest",
            "reason",
            "detail",
            "made_at",
        )
        read_only_fields = fields


class BatteryTrendFilter(filters.FilterSet):  # type: ignore[misc]
    """By quantity and day."""

    day_from = filters.DateFilter(field_name="day", lookup_expr="gte")
    day_until = filters.DateFilter(field_name="day", lookup_expr="lt", help_text="Not included.")

    class Meta:
        model = BatteryTrend
        fields = ("quantity",)


@extend_schema_view(
    get=extend_schema(
        operation_id="battery_trends",
        tags=["batteries"],
        description=(
            "A row a quantity and day (UTC), newest first. `value` is in like conditions of charge and temperature; "
            "`detail` has the median and the samples by conditions, `charge/temperature` by their lower bounds, for "
            "resistances with the longest time of a step (s). `days_to_threshold` is null where it is not foreseeable, "
            "and `reason` says why."
        ),
    )
)
class BatteryTrendListView(ListAPIView[BatteryTrend]):
    """How a battery ages."""

    queryset = BatteryTrend.objects.none()
    permission_classes = (MayAskOfBatteries,)
    serializer_class = BatteryTrendOut
    filterset_class = BatteryTrendFilter

    def get_queryset(self) -> QuerySet[BatteryTrend]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        battery = battery_for(battery_id=self.kwargs["battery_id"], user=asking_person(self.request))
        return trends_of(battery)
