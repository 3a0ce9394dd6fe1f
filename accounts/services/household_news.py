"""Mail about who joins and leaves a household, to those who administer it and want to know."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import AccountAccess, CustomerAccount, NotificationKind, User
from accounts.selectors.notifications import wants
from energy_portal.shared.clock import zone
from energy_portal.shared.jobs import enqueue_on_commit

TELL_TASK = "accounts.tasks.tell_household"


def tell_household(*, access: AccountAccess, account: CustomerAccount, news: str, actor: Actor, now: datetime) -> None:
    """Have the household's administrators told, but for whoever did it and whom it is about.

    :param news: joined, changed or ended.
    """
    done_by = actor.user.pk if actor.user is not None else None
    for reader in wants(account, NotificationKind.HOUSEHOLD, now=now):
        if reader.pk not in {done_by, access.user_id}:
            enqueue_on_commit(
                TELL_TASK,
                user_id=reader.pk,
                account_id=account.pk,
                news=news,
                person=str(access.user),
                right=access.right,
                until=access.valid.upper,
            )


def send_household_news(
    *, user_id: UUID, account_id: UUID, news: str, person: str, right: str, until: datetime | None
) -> None:
    """Write to one administrator what became of somebody's access, in their language and zone."""
    reader = User.objects.filter(pk=user_id, status=User.Status.ACTIVE).first()
    account = CustomerAccount.objects.filter(pk=account_id).first()
    if reader is None or account is None:
        return
    link = settings.PORTAL_URL + reverse("accounts:household")
    with (
        translation.override(reader.language or settings.LANGUAGE_CODE),
        timezone.override(zone(reader.zone or account.zone)),
    ):
        context = {
            "reader": reader,
            "account": account,
            "news": news,
            "person": person,
            "right": right,
            "until": until,
            "link": link,
        }
        send_mail(
            _("The household of account %(number)s") % {"number": account.number},
            render_to_string("accounts/mail/household.txt", context),
            settings.DEFAULT_FROM_EMAIL,
            [reader.email],
        )
