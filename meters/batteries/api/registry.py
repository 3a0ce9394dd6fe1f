"""The registry of batteries."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import calling_source
from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import actor_of, asking_person
from accounts.models import CustomerAccount
from accounts.models.customers import validate_zone
from accounts.roles import Role
from energy_portal.shared.api import ProblemAwareJSONRenderer, SafeCSVRenderer
from energy_portal.shared.errors import Forbidden
from meters.batteries.api.callers import MayAskOfBatteries, MayKeepBatteries
from meters.batteries.models import Battery, BatteryState, Convention
from meters.batteries.selectors.batteries import batteries_for, battery_for
from meters.batteries.services import registry
from meters.models import Region

_RETIRED: dict[int, Any] = {409: OpenApiResponse(description="`retired_battery`.")}
_NUMBERS = {
    "capacity_ah": "Ah.",
    "rated_energy_kwh": "kWh.",
    "rated_power_kw": "kW.",
    "current_limit_a": "A, charging and discharging.",
}
_WINDOWS = {
    "soc_low_percent": "%.",
    "soc_high_percent": "%.",
    "cell_voltage_low_v": "V.",
    "cell_voltage_high_v": "V.",
    "cell_temp_low_c": "°C.",
    "cell_temp_high_c": "°C.",
    "igbt_temp_high_c": "°C.",
}


class BatteryStateOut(serializers.ModelSerializer[BatteryState]):
    """What a battery's systems told last, by published name; null where they told nothing."""

    class Meta:
        model = BatteryState
        fields = ("bms_at", "bms", "pcs_at", "pcs", "heard_at")
        read_only_fields = fields


class BatteryOut(serializers.ModelSerializer[Battery]):
    """A battery as the registry has it."""

    region = serializers.CharField(source="region.name", default=None, allow_null=True)
    region_id = serializers.UUIDField(default=None, allow_null=True)
    account = serializers.SerializerMethodField(help_text="Its number; null for operators, who see no customers.")
    convention = serializers.CharField(source="convention.name", default=None, allow_null=True)
    state = BatteryStateOut(default=None, allow_null=True)

    class Meta:
        model = Battery
        fields = (
            "battery_id",
            "name",
            "region",
            "region_id",
            "account",
            "convention",
            "zone",
            "status",
            "is_simulated",
            "cells_in_series",
            *_NUMBERS,
            *_WINDOWS,
            "retired_at",
            "created_at",
            "updated_at",
            "state",
        )
        read_only_fields = fields

    def get_account(self, battery: Battery) -> str | None:
        """Return the number of the account that it belongs to."""
        if not self.context.get("sees_accounts", True) or battery.account is None:
            return None
        return battery.account.number


class BatteryIn(serializers.Serializer[Any]):
    """What is known of a battery; what is not named stays as it is."""

    name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    region_id = serializers.PrimaryKeyRelatedField(
        source="region", queryset=Region.objects.all(), required=False, allow_null=True
    )
    account = serializers.SlugRelatedField(
        slug_field="number",
        queryset=CustomerAccount.objects.all(),
        required=False,
        allow_null=True,
        help_text="Its number: whose customers see the battery.",
    )
    convention = serializers.SlugRelatedField(
        slug_field="name",
        queryset=Convention.objects.all(),
        required=False,
        allow_null=True,
        help_text="How its files are written, and its live readings where their source has no convention.",
    )
    zone = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="IANA; empty: the portal's own."
    )
    is_simulated = serializers.BooleanField(required=False, help_text="What it tells is made by a simulator.")
    cells_in_series = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2**31 - 1)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        numbers = {
            name: serializers.FloatField(required=False, allow_null=True, min_value=0, help_text=unit)
            for name, unit in _NUMBERS.items()
        }
        windows = {name: serializers.FloatField(required=False, help_text=unit) for name, unit in _WINDOWS.items()}
        return {**super().get_fields(), **numbers, **windows}

    def validate_zone(self, name: str) -> str:
        if name:
            validate_zone(name)
        return name

    def details(self) -> dict[str, Any]:
        """Return what was asked for as the registry names it, once it is valid."""
        return {name: value for name, value in self.validated_data.items() if name != "battery_id"}


class NewBatteryIn(BatteryIn):
    """A battery that is to be entered."""

    battery_id = serializers.CharField(max_length=64, help_text="As it names itself.")


class BatteryFilter(filters.FilterSet):  # type: ignore[misc]
    """By where it stands, whose it is and what it is."""

    region = filters.CharFilter(field_name="region__name")
    region_id = filters.UUIDFilter(field_name="region")
    convention = filters.CharFilter(field_name="convention__name")
    account = filters.CharFilter(method="of_account")

    class Meta:
        model = Battery
        fields = ("status", "is_simulated")

    def of_account(self, batteries: QuerySet[Battery], name: str, number: str) -> QuerySet[Battery]:
        """Keep an account's batteries; for whoever sees no customers there are none."""
        return batteries.filter(account__number=number) if _sees_accounts(self.request) else batteries.none()


class _Batteries(APIView):
    """What everybody may read who may see batteries, and those who keep the registry may write."""

    def get_permissions(self) -> list[Any]:
        rule = MayAskOfBatteries if self.request.method in SAFE_METHODS else MayKeepBatteries
        return [rule()]


class BatteryListView(_Batteries, IdempotentCreate, ListAPIView[Battery]):
    """The batteries that one may see."""

    queryset = Battery.objects.none()
    renderer_classes = (ProblemAwareJSONRenderer, SafeCSVRenderer)
    csv_columns = BatteryOut.Meta.fields
    csv_name = "batteries"
    serializer_class = BatteryOut
    filterset_class = BatteryFilter

    def get_queryset(self) -> QuerySet[Battery]:
        return batteries_for(user=asking_person(self.request)).order_by("id")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "sees_accounts": _sees_accounts(self.request)}

    @extend_schema(
        operation_id="batteries_list", tags=["batteries"], description="In the order in which they were entered."
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="batteries_create",
        tags=["batteries"],
        parameters=[IDEMPOTENCY_KEY],
        request=NewBatteryIn,
        responses={201: BatteryOut, 409: OpenApiResponse(description="`battery_exists`.")},
        examples=[
            OpenApiExample(
                "a battery of 260 cells",
                request_only=True,
                value={
                    "battery_id": "ZHPESS232A230002",
                    "cells_in_series": 260,
                    "capacity_ah": 280.0,
                    "rated_power_kw": 100.0,
                },
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Enter a battery into the registry; a data source needs the right to create devices."""
        caller = calling_source(request)
        if caller is not None and not caller.source.may_create_devices:
            raise Forbidden("This data source may not create batteries.", code="may_not_create")
        asked = NewBatteryIn(data=request.data)
        asked.is_valid(raise_exception=True)
        _check_account(request, asked)
        with transaction.atomic():
            made = registry.create_battery(
                battery_id=asked.validated_data["battery_id"],
                details=asked.details(),
                actor=actor_of(request),
                now=timezone.now(),
            )
        where = reverse("batteries:api_battery", args=[made.battery_id])
        return Response(_shown(request, made.battery_id), status=status.HTTP_201_CREATED, headers={"Location": where})


class BatteryDetailView(_Batteries):
    """One battery."""

    @extend_schema(operation_id="batteries_retrieve", tags=["batteries"], responses=BatteryOut)
    def get(self, request: Request, battery_id: str) -> Response:
        """Tell what the registry has of a battery, and what its systems told last."""
        return Response(_shown(request, battery_id))

    @extend_schema(
        operation_id="batteries_update", tags=["batteries"], request=BatteryIn, responses={200: BatteryOut, **_RETIRED}
    )
    def put(self, request: Request, battery_id: str) -> Response:
        """Change what is known of a battery; what is not named stays as it is."""
        battery = battery_for(battery_id=battery_id, user=asking_person(request))
        asked = BatteryIn(data=request.data)
        asked.is_valid(raise_exception=True)
        _check_account(request, asked)
        registry.change_battery(pk=battery.pk, changes=asked.details(), actor=actor_of(request), now=timezone.now())
        return Response(_shown(request, battery_id))

    @extend_schema(
        operation_id="batteries_retire",
        tags=["batteries"],
        responses={204: None},
        description="Retires the battery: nothing of it is taken live any more, and what it told stays.",
    )
    def delete(self, request: Request, battery_id: str) -> Response:
        """Take a battery out of service for good."""
        battery = battery_for(battery_id=battery_id, user=asking_person(request))
        registry.retire_battery(pk=battery.pk, actor=actor_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _sees_accounts(request: Request) -> bool:
    person = asking_person(request)
    return person is None or person.role != Role.OPERATOR


def _check_account(request: Request, asked: BatteryIn) -> None:
    if "account" in asked.validated_data and not _sees_accounts(request):
        raise Forbidden("Operators do not decide whose a battery is.", code="missing_role")


def _shown(request: Request, battery_id: str) -> Any:
    battery = battery_for(battery_id=battery_id, user=asking_person(request))
    return BatteryOut(battery, context={"sees_accounts": _sees_accounts(request)}).data
