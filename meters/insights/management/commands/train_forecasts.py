"""Teach models of forecasts, here and now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actors import PORTAL
from energy_portal.shared.errors import DomainError
from meters.insights.forecasters.registry import BLEND, names
from meters.insights.models import Subject
from meters.insights.services.training import train_cohort


class Command(BaseCommand):
    """Teach a cohort's model; the better of it and the one that speaks is kept in force."""

    help = "Teach a model by the past of many series together and let it speak where it beats the one that does."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the cohort and the forecaster."""
        parser.add_argument("--cohort", choices=Subject.values, default=Subject.SERVICE_POINT.value)
        parser.add_argument("--algorithm", choices=names(), default=BLEND)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was taught and why it speaks or not.

        :raises CommandError: too little is known, or somebody else is at it.
        """
        cohort = Subject(options["cohort"])
        try:
            row = train_cohort(cohort=cohort, actor=PORTAL, now=timezone.now(), algorithm=options["algorithm"])
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(
            f"{row}: {row.get_state_display()}; {row.origins:,} days of {row.series:,} series. {row.reason}"
        )
