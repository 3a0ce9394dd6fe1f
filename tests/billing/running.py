"""Months that are run, for tests of runs."""

from datetime import UTC, datetime

from accounts.actors import PORTAL
from billing.services.runs import process_run, start_month
from energy_portal.shared.clock import YearMonth
from tests.factories import BindingFactory

FEBRUARY = YearMonth(2023, 2)
NOW = datetime(2023, 3, 2, 1, tzinfo=UTC)


def supplied(count, **binding):
    return [BindingFactory(**binding).account for _ in range(count)]


def run_month(month=FEBRUARY, now=NOW, chunk_accounts=2, **how):
    run = start_month(month=month, actor=PORTAL, now=now, **how)
    return process_run(run_id=run.pk, now=now, chunk_accounts=chunk_accounts)
