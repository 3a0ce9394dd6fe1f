"""How many readings a second ten managers approve together, who all ask for the same hundred at once.

Against: one manager who approves another hundred alone. However they meet, each reading is decided on once.
"""

import os
import time
from datetime import timedelta
from threading import Barrier, Thread
from uuid import UUID

from tests.benchmarks.harness import portal, report

READINGS = int(os.environ.get("FIELD_APPROVALS", "100"))
MANAGERS = 10

_WIPE = "TRUNCATE accounts_user, accounts_premises, meters_region, meters_meter, meters_servicepoint,"
_WIPE += " meters_registerreading CASCADE"


def main() -> None:
    """Seed, approve, check, and report approvals a second."""
    os.environ["DATABASE_POOL_SIZE"] = str(MANAGERS + 1)
    with portal():
        from django.db import connection

        from field_ops.models import Decision
        from meters.models import RegisterReading

        with connection.cursor() as cursor:
            cursor.execute(_WIPE)
        alone = READINGS / timed(seed(), managers=1)
        requests = seed()
        rate = READINGS / timed(requests, managers=MANAGERS)
        decided = Decision.objects.filter(request__in=requests).values("request", "level").distinct().count()
        standing = RegisterReading.objects.filter(register__meter__approval_requests__in=requests).count()
        if (Decision.objects.filter(request__in=requests).count(), decided, standing) != (READINGS,) * 3:
            raise SystemExit(f"{decided} decisions and {standing} readings of {READINGS} requests.")
        report(
            "field_approvals",
            round(rate, 1),
            "approvals/s",
            ratio=round(rate / alone, 3),
            against="one manager alone",
            n=READINGS,
        )


def seed() -> list[UUID]:
    """Make requests of low risk, of ten agents."""
    from tests.factories import InstallationFactory
    from tests.field_ops.factories import AgentFactory, ApprovalRequestFactory

    agents = AgentFactory.create_batch(10)
    made = [
        ApprovalRequestFactory(submission__assignment__agent=agents[number % len(agents)]) for number in range(READINGS)
    ]
    for request in made:
        InstallationFactory(meter=request.meter)
    return [request.pk for request in made]


def timed(requests: list[UUID], *, managers: int) -> float:
    """Return how many seconds managers take who approve the same requests at once."""
    from django.db import connection

    from accounts.actors import Actor
    from field_ops.services.deciding import approve_low_risk
    from tests.factories import ManagerFactory
    from tests.field_ops.factories import THEN

    barrier = Barrier(managers + 1)

    def approve(actor: Actor) -> None:
        barrier.wait()
        try:
            approve_low_risk(request_ids=requests, actor=actor, now=THEN + timedelta(hours=1))
        finally:
            connection.close()

    people = [Actor(user=ManagerFactory()) for _ in range(managers)]
    threads = [Thread(target=approve, args=(actor,)) for actor in people]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
