"""Run a month's bills: start once, continue where it stopped."""

from datetime import datetime
from uuid import UUID

from accounts.actors import Actor
from billing.models import BillRun
from energy_portal.shared.clock import YearMonth


def start_month(*, month: YearMonth, actor: Actor, now: datetime) -> BillRun:
    """Make a month's run, or make a finished one ready to pick up the accounts that have no issued bill yet."""
    raise NotImplementedError


def request_month(*, month: YearMonth, actor: Actor, now: datetime) -> BillRun:
    """Start a month's run and have a worker process it once this transaction commits."""
    raise NotImplementedError


def process_run(*, run_id: UUID, now: datetime) -> BillRun:
    """Bill every account that is due, a chunk a transaction; after a stop it continues with the next chunk."""
    raise NotImplementedError
