"""Say in which condition a meter is."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from meters.models import Meter
from meters.services.history import save_as


@transaction.atomic
def change_meter_status(*, meter_id: UUID, status: Meter.Status | str, actor: Actor, now: datetime) -> Meter:
    """Put a meter into a condition; a repeat changes nothing.

    :raises Meter.DoesNotExist: there is no such meter.
    """
    meter: Meter = Meter.objects.select_for_update(of=("self",)).get(pk=meter_id)
    wanted = Meter.Status(status)
    if meter.status != wanted:
        before, meter.status = meter.status, wanted
        save_as(actor, meter, ("status", "updated_at"))
        audit.record(action="meter.status_changed", obj=meter, actor=actor, now=now, before=before, after=wanted.value)
    return meter
