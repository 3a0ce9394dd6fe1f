"""What the customers' navigation depends on."""

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from accounts.roles import Role
from meters.devices.models import Device


def customer_navigation(request: HttpRequest) -> dict[str, object]:
    """Tell templates, once they ask, whether a customer has devices; the navigation leads to them only then."""

    def has_devices() -> bool:
        user = request.user
        if not isinstance(user, User) or user.role != Role.CUSTOMER:
            return False
        return bool(Device.objects.visible_to(user).filter(status=Device.Status.ACTIVE).exists())

    return {"has_devices": SimpleLazyObject(has_devices)}
