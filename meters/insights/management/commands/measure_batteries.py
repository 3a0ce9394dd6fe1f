"""Measure batteries' days that wait, further back than the nightly task looks."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from meters.batteries.models import Battery
from meters.insights.services.trends import measure_battery


class Command(BaseCommand):
    help = "Measures the days of batteries' health that were not measured yet, and judges where they stand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("batteries", nargs="*", metavar="BATTERY", help="as they name themselves; all unless told")
        parser.add_argument("--since", metavar="DATE", help="from that day (UTC) on, as 2024-01-01")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure them one after the other.

        :raises CommandError: there is no such battery, or the day is none.
        """
        since = _day(options["since"])
        batteries = Battery.objects.filter(status=Battery.Status.ACTIVE)
        if asked := options["batteries"]:
            batteries = batteries.filter(battery_id__in=asked)
            unknown = sorted(set(asked) - set(batteries.values_list("battery_id", flat=True)))
            if unknown:
                raise CommandError(f"There is no battery in service called {', '.join(unknown)}.")
        for battery in batteries.order_by("battery_id"):
            days = measure_battery(battery_pk=battery.pk, now=timezone.now(), since=since)
            self.stdout.write(f"{battery.battery_id}: {days} days measured")


def _day(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise CommandError(f"{text} is no day.") from error
