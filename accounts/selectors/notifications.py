"""Who is told of what by e-mail: everybody with access in force who wants it."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from accounts.models import AccountAccess, CustomerAccount, NotificationChoice, NotificationKind, User
from accounts.models.customers import Right

# Where somebody did not choose: whoever administers an account is told everything, whoever looks on only of alarms.
_TOLD_UNASKED = {
    Right.ADMINISTER: frozenset(NotificationKind),
    Right.VIEW: frozenset({NotificationKind.ALARM}),
}
# What concerns those only who administer the account, whatever others chose.
_FOR_ADMINISTRATORS = frozenset({NotificationKind.HOUSEHOLD})


def wants(account: CustomerAccount, kind: NotificationKind | str, *, now: datetime | None = None) -> list[User]:
    """Return who is to be told of a kind of news about an account, by e-mail address.

    :param now: the instant at which their access must be in force; None: the present.
    """
    return wanting([account.pk], kind, now=now or timezone.now()).get(account.pk, [])


def wanting(account_ids: Collection[UUID], kind: NotificationKind | str, *, now: datetime) -> Mapping[UUID, list[User]]:
    """Return the same of many accounts, in two queries."""
    kind = NotificationKind(kind)
    accesses = AccountAccess.objects.open_at(now).filter(account_id__in=account_ids, user__status=User.Status.ACTIVE)
    accesses = accesses.select_related("user").order_by("user__email")
    chosen = _chosen({access.user_id for access in accesses}, kind)
    found: defaultdict[UUID, list[User]] = defaultdict(list)
    for access in accesses:
        right = Right(access.right)
        fits = kind not in _FOR_ADMINISTRATORS or right is Right.ADMINISTER
        if fits and chosen.get(access.user_id, kind in _TOLD_UNASKED[right]):
            found[access.account_id].append(access.user)
    return dict(found)


def addresses_told(
    accounts: Collection[CustomerAccount], kind: NotificationKind | str, *, now: datetime
) -> dict[UUID, set[str]]:
    """Return the addresses, in small letters, to which news of accounts goes, in three queries.

    An account's own address is one of them unless it is that of a login which chose otherwise.
    """
    told = wanting([account.pk for account in accounts], kind, now=now)
    own = {account.pk: account.email.lower() for account in accounts if account.email}
    silent = NotificationChoice.objects.filter(kind=NotificationKind(kind), wanted=False)
    declined = {
        email.lower() for email in silent.filter(user__email__in=own.values()).values_list("user__email", flat=True)
    }
    return {
        account.pk: {user.email.lower() for user in told.get(account.pk, ())}
        | ({own[account.pk]} - declined if account.pk in own else set())
        for account in accounts
    }


def choices_of(user: User, *, administers_any: bool) -> dict[NotificationKind, bool]:
    """Return what somebody is told of, kind by kind, as they chose or as it is for who did not choose."""
    chosen = dict(user.notification_choices.values_list("kind", "wanted"))
    right = Right.ADMINISTER if administers_any else Right.VIEW
    return {
        kind: chosen.get(kind, kind in _TOLD_UNASKED[right])
        for kind in NotificationKind
        if administers_any or kind not in _FOR_ADMINISTRATORS
    }


def _chosen(user_ids: Collection[UUID], kind: NotificationKind) -> dict[UUID, bool]:
    choices = NotificationChoice.objects.filter(user_id__in=user_ids, kind=kind)
    return dict(choices.values_list("user_id", "wanted"))
