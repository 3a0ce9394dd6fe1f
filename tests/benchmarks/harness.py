"""What every benchmark stands on: real services with a home of their own, and one line of JSON at the end."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def portal() -> Iterator[None]:
    """Have Django set up on migrated services, durable as in operation, for the block."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.development")
    os.environ["PORTAL_HOME"] = os.environ.get("PORTAL_BENCH_HOME", str(_ROOT / ".portal" / "bench"))
    # What guards decisions lets benchmarks empty their own database.
    os.environ["PGOPTIONS"] = "-c portal.emptying=on"
    import django
    from django.core.management import call_command
    from django.db import connections

    from energy_portal.embedded.home import Home
    from energy_portal.embedded.services import needed_services, running

    home = Home(Path(os.environ["PORTAL_HOME"]))
    with home.locked(), running(*needed_services(home)):
        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        try:
            yield
        finally:
            connections.close_all()


def report(bench: str, value: float, unit: str, *, ratio: float, against: str, n: int, **figures: float) -> None:
    """Print the one line that a benchmark ends with.

    :param ratio: the value over what was measured in the same run as ``against``.
    :param n: how many units of work were measured.
    :param figures: what else was measured, each named with its unit.
    """
    line = {"bench": bench, "value": value, "unit": unit, "ratio": ratio, "against": against, "n": n, **figures}
    print(json.dumps(line), flush=True)
