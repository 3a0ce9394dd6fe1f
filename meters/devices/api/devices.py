"""The registry of devices."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import calling_source
from accounts.api.idempotency import IDEMPOTENCY_KEY, IdempotentCreate
from accounts.api.permissions import actor_of, asking_person
from accounts.roles import Role
from energy_portal.shared.errors import Forbidden
from meters.devices.api.callers import MayKeepRegistry, MayUseDevices
from meters.devices.api.serializers import DeviceIn, DeviceOut, NewDeviceIn, ReplacementIn
from meters.devices.models import Device
from meters.devices.selectors.devices import device_for, devices_for
from meters.devices.services import registry

_RETIRED: dict[int, Any] = {409: OpenApiResponse(description="`retired_device`.")}


class DeviceFilter(filters.FilterSet):  # type: ignore[misc]
    """By what it is sorted by, and whether it is heard."""

    product_id = filters.CharFilter(field_name="product__product_id")
    group = filters.CharFilter(field_name="group__name")
    region = filters.CharFilter(field_name="region__name")
    region_id = filters.UUIDFilter(field_name="region")
    account = filters.CharFilter(method="of_account")
    online = filters.BooleanFilter(field_name="state__is_online")

    class Meta:
        model = Device
        fields = ("status", "is_critical")

    def of_account(self, devices: QuerySet[Device], name: str, number: str) -> QuerySet[Device]:
        """Keep an account's devices; for whoever sees no customers there are none."""
        return devices.filter(account__number=number) if _sees_accounts(self.request) else devices.none()


class _Devices(APIView):
    """What everybody may read who may use devices, and those who keep the registry may write."""

    def get_permissions(self) -> list[Any]:
        rule = MayUseDevices if self.request.method in SAFE_METHODS else MayKeepRegistry
        return [rule()]


class DeviceListView(_Devices, IdempotentCreate, ListAPIView[Device]):
    """The devices that one may see."""

    queryset = Device.objects.none()
    serializer_class = DeviceOut
    filterset_class = DeviceFilter

    def get_queryset(self) -> QuerySet[Device]:
        return devices_for(user=asking_person(self.request)).order_by("id")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "sees_accounts": _sees_accounts(self.request)}

    @extend_schema(
        operation_id="devices_list", tags=["devices"], description="In the order in which they were entered."
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="devices_create",
        tags=["devices"],
        parameters=[IDEMPOTENCY_KEY],
        request=NewDeviceIn,
        responses={201: DeviceOut, 409: OpenApiResponse(description="`device_exists`.")},
        examples=[
            OpenApiExample(
                "a plug",
                request_only=True,
                value={"device_id": "bfadafebb608a154206aqu", "name": "Fridge", "product_id": "ixhko1cls7lzpwsf"},
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Enter a device into the registry; a data source needs the right to create devices."""
        caller = calling_source(request)
        if caller is not None and not caller.source.may_create_devices:
            raise Forbidden("This data source may not create devices.", code="may_not_create")
        asked = NewDeviceIn(data=request.data)
        asked.is_valid(raise_exception=True)
        _check_account(request, asked)
        with transaction.atomic():
            made = registry.create_device(
                device_id=asked.validated_data["device_id"],
                details=asked.details(actor_of(request)),
                actor=actor_of(request),
                now=timezone.now(),
            )
        where = reverse("devices:api_device", args=[made.device_id])
        return Response(_shown(request, made.device_id), status=status.HTTP_201_CREATED, headers={"Location": where})


class DeviceDetailView(_Devices):
    """One device."""

    @extend_schema(operation_id="devices_retrieve", tags=["devices"], responses=DeviceOut)
    def get(self, request: Request, device_id: str) -> Response:
        """Tell what the registry has of a device, and what it told last."""
        return Response(_shown(request, device_id))

    @extend_schema(
        operation_id="devices_update", tags=["devices"], request=DeviceIn, responses={200: DeviceOut, **_RETIRED}
    )
    def put(self, request: Request, device_id: str) -> Response:
        """Change what is known of a device; what is not named stays as it is."""
        device = device_for(device_id=device_id, user=asking_person(request))
        asked = DeviceIn(data=request.data)
        asked.is_valid(raise_exception=True)
        _check_account(request, asked)
        with transaction.atomic():
            registry.change_device(
                pk=device.pk, changes=asked.details(actor_of(request)), actor=actor_of(request), now=timezone.now()
            )
        return Response(_shown(request, device_id))

    @extend_schema(
        operation_id="devices_retire",
        tags=["devices"],
        responses={204: None},
        description="Retires the device: nothing of it is taken any more, and what it told stays.",
    )
    def delete(self, request: Request, device_id: str) -> Response:
        """Take a device out of service for good."""
        device = device_for(device_id=device_id, user=asking_person(request))
        registry.retire_device(pk=device.pk, actor=actor_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class DeviceReplacementView(_Devices, IdempotentCreate):
    """The device that takes another's place."""

    @extend_schema(
        operation_id="devices_replace",
        tags=["devices"],
        parameters=[IDEMPOTENCY_KEY],
        request=ReplacementIn,
        responses={
            201: DeviceOut,
            409: OpenApiResponse(description="`already_replaced`, or `device_not_free` for the new one."),
        },
        description="The new device takes name, group, region and account over; the old one is retired and keeps "
        "what it told.",
    )
    def post(self, request: Request, device_id: str) -> Response:
        """Let another device take the place."""
        device = device_for(device_id=device_id, user=asking_person(request))
        asked = ReplacementIn(data=request.data)
        asked.is_valid(raise_exception=True)
        made = registry.replace_device(
            pk=device.pk,
            new_device_id=asked.validated_data["device_id"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return Response(_shown(request, made.device_id), status=status.HTTP_201_CREATED)


def _sees_accounts(request: Request) -> bool:
    person = asking_person(request)
    return person is None or person.role != Role.OPERATOR


def _check_account(request: Request, asked: DeviceIn) -> None:
    if "account" in asked.validated_data and not _sees_accounts(request):
        raise Forbidden("Operators do not decide whose a device is.", code="missing_role")


def _shown(request: Request, device_id: str) -> Any:
    device = device_for(device_id=device_id, user=asking_person(request))
    return DeviceOut(device, context={"sees_accounts": _sees_accounts(request)}).data
