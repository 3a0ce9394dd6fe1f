"""What workers do for accounts: mail, and forgetting what is no longer needed."""

from datetime import datetime
from uuid import UUID

from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from accounts.services import access, household_news, mail
from accounts.services.idempotency import prune_idempotency_records

_MAIL_TRIES = 8
_FIRST_WAIT_SECONDS = 30


@shared_task(
    name=access.SEND_TASK, autoretry_for=(OSError,), retry_backoff=_FIRST_WAIT_SECONDS, max_retries=_MAIL_TRIES
)
def send_invitation(*, invitation_id: str) -> None:
    """Mail an invitation's link; sent once more it carries a new link, and the former one stops working."""
    issued = access.issue_token(invitation_id=UUID(invitation_id), now=timezone.now())
    if issued is not None:
        mail.send_invitation(*issued)


@shared_task(name=mail.RESET_TASK, autoretry_for=(OSError,), retry_backoff=_FIRST_WAIT_SECONDS, max_retries=_MAIL_TRIES)
def send_password_reset(*, email: str) -> None:
    """Mail a reset link to whoever logs in with an address; nobody learns whether anybody does."""
    mail.send_password_reset(email=email)


@shared_task(
    name=household_news.TELL_TASK, autoretry_for=(OSError,), retry_backoff=_FIRST_WAIT_SECONDS, max_retries=_MAIL_TRIES
)
def tell_household(*, user_id: str, account_id: str, news: str, person: str, right: str, until: str | None) -> None:
    """Write to one administrator of a household who joined, left, or may do something else now."""
    household_news.send_household_news(
        user_id=UUID(user_id),
        account_id=UUID(account_id),
        news=news,
        person=person,
        right=right,
        until=datetime.fromisoformat(until) if until else None,
    )


@shared_task(name="accounts.tasks.forget")
def forget() -> None:
    """Drop answers, sessions and tokens that can serve nobody any more."""
    prune_idempotency_records(now=timezone.now())
    call_command("clearsessions")
    call_command("flushexpiredtokens")
