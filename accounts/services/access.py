"""Who may see or administer an account: invitations offered and accepted, accesses granted and ended."""

import secrets
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import AccountAccess, CustomerAccount, Invitation, User
from accounts.models.customers import INVITATION_LIFETIME, Right
from accounts.querysets import sees_every_account
from accounts.roles import Role
from accounts.selectors.access import administers, has_another_administrator, hash_of_token, sees_account
from accounts.services import audit
from accounts.services.checks import check_fields
from accounts.services.customers import NoSuchAccount
from accounts.services.household_news import tell_household
from accounts.services.users import create_user
from energy_portal.shared.errors import Conflict, Forbidden, Invalid, NotFound
from energy_portal.shared.jobs import enqueue_on_commit

MOST_OPEN_INVITATIONS = 20
SEND_TASK = "accounts.tasks.send_invitation"
_TOKEN_BYTES = 32


class NotAdministrator(Forbidden):
    """Somebody may see the account, but not administer it."""

    code = "not_administrator"


class BadPeriod(Invalid):
    """A period of access is empty, or over before it began."""

    code = "bad_period"


class AccessExists(Conflict):
    """The login has an access to the account in that period."""

    code = "access_exists"


class InvitationOpen(Conflict):
    """The address has an invitation to the account that is still open."""

    code = "invitation_open"


class TooManyInvitations(Conflict):
    """An account has as many open invitations as it may."""

    code = "too_many_invitations"


class InvitationClosed(NotFound):
    """The invitation was accepted or revoked, has lapsed, or never was."""

    code = "invitation_closed"


class NotInvited(Forbidden):
    """The invitation is for another e-mail address."""

    code = "not_invited"


class NotACustomer(Conflict):
    """Access is for customers' logins; people who work here have their role."""

    code = "not_a_customer"


class NoSuchAccess(NotFound):
    """No access has that id, or not for the one who asks."""

    code = "no_such_access"


class LastAdministrator(Conflict):
    """Without that access nobody of the household could administer the account."""

    code = "last_administrator"


@transaction.atomic
def invite(
    *, account_id: UUID, email: str, right: str, valid: DateTimeTZRange, actor: Actor, now: datetime
) -> Invitation:
    """Offer somebody access to an account; the mail with the link leaves once this is committed.

    Whether the address has a login is not told.

    :param valid: the period of the access, open-ended where ``upper`` is None; it starts on acceptance at the soonest.
    :raises AccessExists: the address has an access in that period.
    :raises BadPeriod: it is empty or over.
    :raises Invalid: the address or the right is none.
    :raises InvitationOpen: the address is invited already.
    :raises NoSuchAccount, NotAdministrator: the actor may not see it, or not administer it.
    :raises TooManyInvitations: the account has as many open ones as it may.
    """
    account = _locked_account(account_id)
    _require_administrator(account, actor, now)
    _require_period(valid, now)
    email = email.strip().lower()
    open_ones = account.invitations.open_at(now)
    if open_ones.filter(email=email).exists():
        raise InvitationOpen(_("%(email)s is invited already; revoke that invitation first.") % {"email": email})
    if open_ones.count() >= MOST_OPEN_INVITATIONS:
        raise TooManyInvitations(
            _("An account can have %(most)s open invitations at most.") % {"most": MOST_OPEN_INVITATIONS}
        )
    if account.accesses.filter(user__email__iexact=email, valid__overlap=valid).exists():
        raise AccessExists(_("%(email)s has access to this account already.") % {"email": email})
    invitation = Invitation(
        account=account,
        email=email,
        right=right,
        valid=valid,
        token_hash=_unknown_hash(),
        invited_by=actor.user,
        expires_at=now + INVITATION_LIFETIME,
    )
    check_fields(invitation, exclude={"account", "invited_by"})
    invitation.save()
    enqueue_on_commit(SEND_TASK, invitation_id=invitation.pk)
    audit.record(action="invitation.made", obj=invitation, actor=actor, now=now, **_said(invitation))
    return invitation


@transaction.atomic
def send_again(*, invitation_id: UUID, actor: Actor, now: datetime) -> Invitation:
    """Mail an open invitation once more, with a new link; the old one stops working.

    :raises InvitationClosed: it is open no more, or not for the actor to see.
    :raises NotAdministrator: the actor may not administer the account.
    """
    invitation = _locked_open_invitation(invitation_id, actor, now)
    invitation.expires_at = now + INVITATION_LIFETIME
    invitation.save(update_fields=["expires_at"])
    enqueue_on_commit(SEND_TASK, invitation_id=invitation.pk)
    audit.record(action="invitation.sent_again", obj=invitation, actor=actor, now=now, **_said(invitation))
    return invitation


@transaction.atomic
def issue_token(*, invitation_id: UUID, now: datetime) -> tuple[Invitation, str] | None:
    """Make the secret of an invitation's link anew, for the mail that is about to leave.

    Only the mail ever holds it: neither the database nor the task queue does.

    :returns: the invitation and the token; None where it is open no more.
    """
    invitation: Invitation | None = (
        Invitation.objects.open_at(now)
        .select_for_update(of=("self",))
        .select_related("account", "invited_by")
        .filter(pk=invitation_id)
        .first()
    )
    if invitation is None:
        return None
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    invitation.token_hash = hash_of_token(token)
    invitation.save(update_fields=["token_hash"])
    return invitation, token


@transaction.atomic
def accept_invitation(
    *, token: str, user: User | None = None, name: str = "", password: str | None = None, now: datetime
) -> AccountAccess:
    """Take up an invitation, once: as somebody who is logged in, or as somebody new.

    :param user: whose login it is; None for somebody new, who gives a name and a password.
    :raises AccessExists: the login has an access to the account in that period.
    :raises EmailTaken: the address has a login, so its owner must log in.
    :raises InvitationClosed: the token opens nothing.
    :raises NotACustomer: the login belongs to somebody who works here.
    :raises NotInvited: it is for another address.
    :raises WeakPassword, Invalid: the new login's password or name breaks a rule.
    """
    invitation: Invitation | None = (
        Invitation.objects.select_for_update(of=("self",)).filter(token_hash=hash_of_token(token)).first()
    )
    if invitation is None or not _is_open(invitation, now):
        raise InvitationClosed(_("This invitation is not open any more; ask for a new one."))
    if user is None:
        user = create_user(email=invitation.email, name=name, password=password or "", actor=Actor(), now=now)
    elif user.email.lower() != invitation.email.lower() or not user.is_active:
        raise NotInvited(_("This invitation is for another e-mail address."))
    valid = DateTimeTZRange(max(invitation.valid.lower or now, now), invitation.valid.upper, "[)")
    access = grant_access(
        account=invitation.account, user=user, right=invitation.right, valid=valid, actor=Actor(user=user), now=now
    )
    invitation.accepted_at, invitation.accepted_by = now, user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    audit.record(action="invitation.accepted", obj=invitation, actor=Actor(user=user), now=now, **_said(invitation))
    return access


@transaction.atomic
def revoke_invitation(*, invitation_id: UUID, actor: Actor, now: datetime) -> None:
    """Take an open invitation back.

    :raises InvitationClosed: it is open no more, or not for the actor to see.
    :raises NotAdministrator: the actor may not administer the account.
    """
    invitation = _locked_open_invitation(invitation_id, actor, now)
    invitation.revoked_at = now
    invitation.save(update_fields=["revoked_at"])
    audit.record(action="invitation.revoked", obj=invitation, actor=actor, now=now, **_said(invitation))


@transaction.atomic
def grant_access(
    *, account: CustomerAccount, user: User, right: str, valid: DateTimeTZRange, actor: Actor, now: datetime
) -> AccountAccess:
    """Give a login access to an account; whether the actor may do so is for the caller to know.

    :raises AccessExists: the login has an access to the account in that period.
    :raises BadPeriod: it is empty or over.
    :raises Invalid: the right is none.
    :raises NotACustomer: the login belongs to somebody who works here.
    """
    _require_period(valid, now)
    if user.role != Role.CUSTOMER:
        raise NotACustomer(_("Access is for customers; people who work here use the admin."))
    access = AccountAccess(account=account, user=user, right=right, valid=valid)
    check_fields(access, exclude={"account", "user"})
    try:
        with transaction.atomic():
            access.save()
    except IntegrityError as error:
        raise AccessExists(_("%(email)s has access to this account already.") % {"email": user.email}) from error
    audit.record(
        action="access.granted",
        obj=access,
        actor=actor,
        now=now,
        account=account.number,
        user=user.email,
        right=right,
        since=valid.lower,
        until=valid.upper,
    )
    tell_household(access=access, account=account, news="joined", actor=actor, now=now)
    return access


@transaction.atomic
def change_access(*, access_id: UUID, right: str, until: datetime | None, actor: Actor, now: datetime) -> AccountAccess:
    """Give an access another right or end; what it was before stays on record where it has begun.

    :param until: when it ends from now on; None: never.
    :raises BadPeriod: that is over, or not after its start.
    :raises Invalid: the right is none.
    :raises LastAdministrator: a household would be left without anybody to administer its account.
    :raises NoSuchAccess: there is none, it is over, or the actor may not see it.
    :raises NotAdministrator: the actor may see the account, but not administer it.
    """
    account, access = _locked_access(access_id, actor, now)
    _require_administrator(account, actor, now)
    valid = DateTimeTZRange(access.valid.lower, until, "[)")
    _require_period(valid, now)
    if right != Right.ADMINISTER or until is not None:
        _require_another_administrator(access, actor, now)
    has_begun = access.valid.lower is None or access.valid.lower < now
    before = {"right": access.right, "until": access.valid.upper}
    if has_begun and right != access.right:
        access.valid = DateTimeTZRange(access.valid.lower, now, "[)")
        access.save(update_fields=["valid"])
        access = AccountAccess(account=account, user=access.user)
        valid = DateTimeTZRange(now, until, "[)")
    access.right, access.valid = right, valid
    check_fields(access, exclude={"account", "user"})
    try:
        with transaction.atomic():
            access.save()
    except IntegrityError as error:
        raise AccessExists(_("%(email)s has another access in that period.") % {"email": access.user.email}) from error
    after = {"right": right, "until": until}
    said = {"account": account.number, "user": access.user.email, "before": before, "after": after}
    audit.record(action="access.changed", obj=access, actor=actor, now=now, **said)
    tell_household(access=access, account=account, news="changed", actor=actor, now=now)
    return access


@transaction.atomic
def end_access(*, access_id: UUID, actor: Actor, now: datetime) -> None:
    """End an access now; one that has not begun is taken back. People may always end their own.

    :raises LastAdministrator: a household would be left without anybody to administer its account.
    :raises NoSuchAccess: there is none, it is over, or the actor may not see it.
    :raises NotAdministrator: the actor may neither administer the account nor is it their own access.
    """
    account, access = _locked_access(access_id, actor, now)
    if actor.user is None or actor.user.pk != access.user_id:
        _require_administrator(account, actor, now)
    _require_another_administrator(access, actor, now)
    audit.record(
        action="access.ended", obj=access, actor=actor, now=now, account=account.number, user=access.user.email
    )
    if access.valid.lower is not None and access.valid.lower >= now:
        access.delete()
    else:
        access.valid = DateTimeTZRange(access.valid.lower, now, "[)")
        access.save(update_fields=["valid"])
    tell_household(access=access, account=account, news="ended", actor=actor, now=now)


def _locked_account(account_id: UUID) -> CustomerAccount:
    account: CustomerAccount | None = CustomerAccount.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise NoSuchAccount("There is no such account.")
    return account


def _locked_access(access_id: UUID, actor: Actor, now: datetime) -> tuple[CustomerAccount, AccountAccess]:
    account_id = AccountAccess.objects.filter(pk=access_id).values_list("account", flat=True).first()
    if account_id is None or not sees_account(account_id=account_id, actor=actor):
        raise NoSuchAccess(_("There is no such access."))
    account = _locked_account(account_id)
    access: AccountAccess | None = account.accesses.select_related("user").filter(pk=access_id).first()
    if access is None or (access.valid.upper is not None and access.valid.upper <= now):
        raise NoSuchAccess(_("This access is over."))
    return account, access


def _locked_open_invitation(invitation_id: UUID, actor: Actor, now: datetime) -> Invitation:
    invitations = Invitation.objects.open_at(now).select_for_update(of=("self",)).select_related("account")
    invitation: Invitation | None = invitations.filter(pk=invitation_id).first()
    if invitation is None or not sees_account(account_id=invitation.account_id, actor=actor):
        raise InvitationClosed(_("There is no such open invitation."))
    _require_administrator(invitation.account, actor, now)
    return invitation


def _require_administrator(account: CustomerAccount, actor: Actor, now: datetime) -> None:
    if not sees_account(account_id=account.pk, actor=actor):
        raise NoSuchAccount("There is no such account.")
    if actor.user is not None and not administers(account_id=account.pk, user=actor.user, now=now):
        raise NotAdministrator(_("You may see this account, but not administer it."))


def _require_another_administrator(access: AccountAccess, actor: Actor, now: datetime) -> None:
    is_last = access.right == Right.ADMINISTER and not has_another_administrator(access=access, now=now)
    if is_last and _is_household(actor):
        raise LastAdministrator(_("Let somebody else administer the account first."))


def _is_household(actor: Actor) -> bool:
    return actor.user is not None and not sees_every_account(actor.user)


def _require_period(valid: DateTimeTZRange, now: datetime) -> None:
    if valid.isempty or (valid.upper is not None and valid.upper <= max(valid.lower or now, now)):
        raise BadPeriod(_("Access must end after it starts, and not in the past."))


def _is_open(invitation: Invitation, now: datetime) -> bool:
    offered_until = invitation.valid.upper
    return (
        invitation.accepted_at is None
        and invitation.revoked_at is None
        and invitation.expires_at > now
        and (offered_until is None or offered_until > now)
    )


def _unknown_hash() -> str:
    return hash_of_token(secrets.token_urlsafe(_TOKEN_BYTES))


def _said(invitation: Invitation) -> dict[str, object]:
    return {"account": invitation.account.number, "email": invitation.email, "right": invitation.right}
