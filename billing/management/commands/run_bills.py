from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actors import PORTAL
from billing.services import runs
from energy_portal.shared.clock import YearMonth
from energy_portal.shared.errors import DomainError


class Command(BaseCommand):
    help = "Draft and issue a month's bills here and now; a repeat bills only accounts that have no issued bill."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", help="Such as 2025-02.")
        parser.add_argument("--preview", action="store_true", help="Make drafts only, and issue none.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            month = YearMonth.parse(options["month"])
            run = runs.start_month(month=month, actor=PORTAL, now=now, preview=options["preview"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        run = runs.process_run(run_id=run.pk, now=now)
        self.stdout.write(
            f"{run}: {run.accounts_done} accounts, {run.bills_issued} bills issued, {run.bills_held} held."
        )
