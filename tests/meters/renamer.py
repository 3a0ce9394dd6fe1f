"""A worker that is killed after an event's deed and before its commit; run as a program of its own."""

import os
import signal
import sys
from datetime import UTC, datetime


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.test")
    import django
    from django.db import connection

    django.setup()
    connection.settings_dict["NAME"] = sys.argv[1]

    from meters.models import DomainEvent, ServicePoint
    from meters.services import outbox
    from meters.services.deliveries import deliver_events

    def rename_and_die(event: DomainEvent, now: datetime) -> None:
        ServicePoint.objects.filter(pk=event.service_point_id).update(code="half done")
        os.kill(os.getpid(), signal.SIGKILL)

    outbox.register_consumer("renamer", kinds=[DomainEvent.Kind.GAP_OPENED], handle=rename_and_die)
    deliver_events(now=datetime(2025, 3, 15, tzinfo=UTC))


if __name__ == "__main__":
    main()
