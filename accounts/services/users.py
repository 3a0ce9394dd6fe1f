"""People's logins: made, changed, suspended; their passwords and the ends of their sessions."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from axes.utils import reset
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import User
from accounts.roles import Role
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict, Forbidden, Invalid, ItemError, NotFound

_OWN = frozenset({"name", "phone", "language", "zone", "theme"})
_CHANGEABLE = _OWN | {"email", "role", "department", "region", "permissions"}


class EmailTaken(Conflict):
    """Somebody logs in with that e-mail address already."""

    code = "email_taken"


class NoSuchUser(NotFound):
    """Nobody has that id."""

    code = "no_such_user"


class WeakPassword(Invalid):
    """A password breaks the portal's rules."""

    code = "weak_password"


class NotOnOneself(Forbidden):
    """Nobody may do this to their own login."""

    code = "not_on_oneself"


@transaction.atomic
def create_user(
    *, email: str, name: str, role: str = Role.CUSTOMER, password: str | None = None, actor: Actor, now: datetime
) -> User:
    """Make a login; without a password it opens only after its owner sets one by the reset link.

    :raises EmailTaken: the address has a login, in whatever case it is written.
    :raises Invalid: a value breaks its field's rule.
    :raises WeakPassword: the password breaks the portal's rules.
    """
    user = User(email=_normal(email), name=name, role=role)
    check_fields(user, exclude={"password"})
    _set_password(user, password)
    _save(user)
    audit.record(action="user.created", obj=user, actor=actor, now=now, email=user.email, role=role)
    return user


@transaction.atomic
def change_user(*, user_id: UUID, changes: Mapping[str, object], actor: Actor, now: datetime) -> User:
    """Change what somebody is; their role and extra rights among it, so it is for admins to call.

    :param changes: by name: email, name, role, phone, department, region, permissions, language, zone, theme.
    :raises EmailTaken: the new address has a login.
    :raises Invalid: a field that cannot be changed so, or a value that breaks its rule.
    :raises NoSuchUser: nobody has that id.
    :raises NotOnOneself: admins cannot change their own role or rights, so that one always remains.
    """
    if unknown := sorted(changes.keys() - _CHANGEABLE):
        raise Invalid(f"These cannot be changed: {', '.join(unknown)}.")
    user = _locked(user_id)
    if actor.user is not None and actor.user.pk == user.pk and changes.keys() & {"role", "permissions"}:
        raise NotOnOneself("Another admin must change your role or rights.")
    before = {name: getattr(user, name) for name in changes}
    for name, value in changes.items():
        setattr(user, name, value)
    user.email = _normal(user.email)
    check_fields(user, exclude={"password"})
    _save(user)
    audit.record(action="user.changed", obj=user, actor=actor, now=now, before=before, after=dict(changes))
    return user


def change_profile(*, user_id: UUID, changes: Mapping[str, object], actor: Actor, now: datetime) -> User:
    """Change what people may change of themselves.

    :param changes: by name: name, phone, language, zone, theme.
    :raises Invalid: any other field, or a value that breaks its rule.
    :raises NoSuchUser: nobody has that id.
    """
    if unknown := sorted(changes.keys() - _OWN):
        raise Invalid(f"These cannot be changed: {', '.join(unknown)}.")
    return change_user(user_id=user_id, changes=changes, actor=actor, now=now)


@transaction.atomic
def suspend_user(*, user_id: UUID, actor: Actor, now: datetime) -> User:
    """Shut somebody out at once: their sessions and tokens end, and stay ended when they are let in again.

    :raises NoSuchUser: nobody has that id.
    :raises NotOnOneself: it is one's own login.
    """
    if actor.user is not None and actor.user.pk == user_id:
        raise NotOnOneself("You cannot suspend yourself.")
    user = _locked(user_id)
    if user.status == User.Status.SUSPENDED:
        return user
    user.status = User.Status.SUSPENDED
    _end_logins(user)
    user.save(update_fields=["status", "login_epoch", "updated_at"])
    audit.record(action="user.suspended", obj=user, actor=actor, now=now)
    return user


@transaction.atomic
def reinstate_user(*, user_id: UUID, actor: Actor, now: datetime) -> User:
    """Let somebody in again who was suspended or inactive; they log in anew.

    :raises NoSuchUser: nobody has that id.
    """
    user = _locked(user_id)
    if user.status == User.Status.ACTIVE:
        return user
    user.status = User.Status.ACTIVE
    user.save(update_fields=["status", "updated_at"])
    audit.record(action="user.reinstated", obj=user, actor=actor, now=now)
    return user


@transaction.atomic
def change_password(*, user_id: UUID, password: str, actor: Actor, now: datetime) -> User:
    """Give somebody a new password; every session and token made under the old one ends.

    :raises NoSuchUser: nobody has that id.
    :raises WeakPassword: it breaks the portal's rules.
    """
    user = _locked(user_id)
    _set_password(user, password)
    _end_logins(user)
    user.save(update_fields=["password", "login_epoch", "updated_at"])
    audit.record(action="user.password_changed", obj=user, actor=actor, now=now)
    return user


@transaction.atomic
def end_logins(*, user_id: UUID, actor: Actor, now: datetime) -> None:
    """End every session and token of somebody.

    :raises NoSuchUser: nobody has that id.
    """
    user = _locked(user_id)
    _end_logins(user)
    user.save(update_fields=["login_epoch", "updated_at"])
    audit.record(action="user.logins_ended", obj=user, actor=actor, now=now)


@transaction.atomic
def unlock_login(*, user_id: UUID, actor: Actor, now: datetime) -> None:
    """Forget somebody's failed logins, so that they may try again at once.

    :raises NoSuchUser: nobody has that id.
    """
    user = _locked(user_id)
    reset(username=user.email)
    audit.record(action="user.unlocked", obj=user, actor=actor, now=now)


def _end_logins(user: User) -> None:
    user.login_epoch += 1


def _normal(email: str) -> str:
    return email.strip().lower()


def _locked(user_id: UUID) -> User:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NoSuchUser("There is no such user.")
    return user


def _set_password(user: User, password: str | None) -> None:
    if password is not None:
        try:
            password_validation.validate_password(password, user)
        except ValidationError as error:
            items = [
                ItemError(single.code or "invalid", message, field="password")
                for single in error.error_list
                for message in single.messages
            ]
            raise WeakPassword(" ".join(error.messages), errors=items) from error
    user.set_password(password)


def _save(user: User) -> None:
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        raise EmailTaken(_("Somebody logs in with this e-mail address already.")) from error
