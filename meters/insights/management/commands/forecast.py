"""Forecast one subject, or everybody, from the last local midnight on."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from energy_portal.shared.clock import zone as zone_named
from energy_portal.shared.errors import DomainError
from meters.insights.features import HISTORY_DAYS
from meters.insights.models import Subject
from meters.insights.selectors.subjects import zones
from meters.insights.selectors.surroundings import SurroundingsBook
from meters.insights.services.forecasting import forecast_now, make_all, origin_at


class Command(BaseCommand):
    """Make the forecasts that are due, here and now; what was said before stands."""

    help = (
        "Forecast the two days after the last local midnight: of everybody, of one kind (service_point, device, "
        "battery, account, region, portal), or of one subject, which is printed as JSON."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the kind and the name."""
        parser.add_argument("--kind", choices=Subject.values, help="only these")
        parser.add_argument("--subject", help="only this one: a code, a device's own name, an account's number")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was made.

        :raises CommandError: no such subject, or a subject without its kind.
        """
        now = timezone.now()
        if options["subject"] is not None:
            if options["kind"] is None:
                raise CommandError("A subject needs its --kind.")
            self.stdout.write(self._one(Subject(options["kind"]), options["subject"]))
            return
        kinds = (Subject(options["kind"]),) if options["kind"] else tuple(Subject)
        book = SurroundingsBook(known_at=now, days=HISTORY_DAYS)
        for zone in zones():
            origin = origin_at(now, zone_named(zone))
            for kind in kinds:
                seen, made = make_all(kind=kind, zone=zone, origin=origin, now=now, book=book)
                if seen:
                    self.stdout.write(f"{zone} {kind.label.lower()}: {made:,} forecasts made of {seen:,} series.")

    def _one(self, kind: Subject, subject: str) -> str:
        try:
            found = forecast_now(kind=kind, subject=subject, actor=PORTAL, now=timezone.now())
        except DomainError as error:
            raise CommandError(error.detail) from error
        names = ("subject", "forecaster", "reason", "reason_text", "median", "mean", "low", "high")
        told = {name: getattr(found, name) for name in names}
        return json.dumps({"origin": found.origin.isoformat(), "unit": found.quantity, **told})
