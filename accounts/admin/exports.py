"""What leaves the admin as a file is on record."""

from typing import Any, cast

from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.common import actor_of
from accounts.models import User
from accounts.services import audit
from energy_portal.shared.admin_exports import list_exported


@receiver(list_exported)
def record_export(sender: type, *, request: HttpRequest, page: str, rows: int, query: str, **_: Any) -> None:
    """Write down who took which list along, how it was filtered, and how long it was."""
    now = timezone.now()
    person = cast("User", request.user)
    audit.record(
        action="list.exported", obj=person, actor=actor_of(request), now=now, page=page, rows=rows, query=query
    )
