"""Who may see and administer an account, and who is invited to."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.actors import Actor
from accounts.models import AccountAccess, CustomerAccount, FamilyMember, Invitation, User
from accounts.models.customers import Right

_FORMER_SHOWN = 12


@dataclass(frozen=True)
class Household:
    """Everybody who belongs to an account, as one of them sees it.

    Accesses are those in force or to come. Only whoever may administer the account sees the invitations that can
    still be accepted, and the accesses that ended last.
    """

    account: CustomerAccount
    may_administer: bool
    members: tuple[FamilyMember, ...]
    accesses: tuple[AccountAccess, ...]
    invitations: tuple[Invitation, ...]
    former: tuple[AccountAccess, ...]


def household(*, account: CustomerAccount, user: User, now: datetime) -> Household:
    """Return who belongs to an account, as seen by somebody who may see it."""
    may_administer = administers(account_id=account.pk, user=user, now=now)
    every = account.accesses.select_related("user").exclude(valid__isempty=True)
    former = every.filter(valid__fully_lt=(now, None)).order_by("-valid")[:_FORMER_SHOWN] if may_administer else ()
    invitations = account.invitations.open_at(now).select_related("invited_by") if may_administer else ()
    return Household(
        account=account,
        may_administer=may_administer,
        members=tuple(account.family_members.all()),
        accesses=tuple(every.exclude(valid__fully_lt=(now, None))),
        invitations=tuple(invitations),
        former=tuple(former),
    )


def administers(*, account_id: UUID, user: User, now: datetime) -> bool:
    """Tell whether somebody may administer an account at an instant."""
    return CustomerAccount.objects.administered_by(user, now=now).filter(pk=account_id).exists()


def administers_any(*, user: User, now: datetime) -> bool:
    """Tell whether somebody may administer any account at an instant."""
    return CustomerAccount.objects.administered_by(user, now=now).exists()


def has_another_administrator(*, access: AccountAccess, now: datetime) -> bool:
    """Tell whether an account would still have an active administrator without one access."""
    others = AccountAccess.objects.open_at(now).exclude(pk=access.pk)
    return others.filter(account=access.account_id, right=Right.ADMINISTER, user__status=User.Status.ACTIVE).exists()


def hash_of_token(token: str) -> str:
    """Return what is stored of an invitation's token: SHA-256 of 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_invitation(*, token: str, now: datetime) -> Invitation | None:
    """Return the invitation of a token while it can be accepted, with its account; otherwise None."""
    invitations = Invitation.objects.open_at(now).select_related("account", "invited_by")
    found: Invitation | None = invitations.filter(token_hash=hash_of_token(token)).first()
    return found


def has_login(*, email: str) -> bool:
    """Tell whether an e-mail address has a login; never to be told to whoever has not proved that it is theirs."""
    return User.objects.filter(email__iexact=email).exists()


def sees_account(*, account_id: UUID, actor: Actor) -> bool:
    """Tell whether an actor may see an account now; the portal itself and data sources may."""
    if actor.user is None:
        return True
    return CustomerAccount.objects.visible_to(actor.user).filter(pk=account_id).exists()
