"""What the customers' navigation depends on."""

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.models import User
from accounts.roles import Role
from meters.batteries.models import Battery
from meters.devices.models import Device


def customer_navigation(request: HttpRequest) -> dict[str, object]:
    """Tell templates, once they ask, what a customer has; the navigation leads only to what there is."""

    def has(model: type[Device] | type[Battery]) -> bool:
        user = request.user
        if not isinstance(user, User) or user.role != Role.CUSTOMER:
            return False
        return bool(model.objects.visible_to(user).filter(status=model.Status.ACTIVE).exists())

    return {
        "has_devices": SimpleLazyObject(lambda: has(Device)),
        "has_batteries": SimpleLazyObject(lambda: has(Battery)),
    }
