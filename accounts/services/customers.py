"""Customer accounts, the people who live on them, and the places that they are supplied at."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import CustomerAccount, FamilyMember, Premises
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict, Invalid, NotFound

MOST_FAMILY_MEMBERS = 50
_CHANGEABLE = frozenset({"number", "owner_name", "email", "address", "zone", "status"})
_PREMISES_CHANGEABLE = frozenset({"address", "location_id", "zone", "latitude", "longitude"})


class AccountExists(Conflict):
    """The number belongs to an account already."""

    code = "account_exists"


class NoSuchAccount(NotFound):
    """No account has that id."""

    code = "no_such_account"


class NoSuchMember(NotFound):
    """No family member has that id on that account."""

    code = "no_such_member"


class TooManyMembers(Conflict):
    """An account holds as many family members as it may."""

    code = "too_many_members"


@transaction.atomic
def create_account(  # noqa: PLR0913
    *,
    number: str,
    owner_name: str,
    email: str = "",
    address: str = "",
    zone: str = "",
    family_members: Sequence[tuple[str, str]] = (),
    status: str = CustomerAccount.Status.ACTIVE,
    actor: Actor,
    now: datetime,
) -> CustomerAccount:
    """Open a customer account with its family members.

    :param zone: IANA name; empty stands for the site's.
    :param family_members: (name, relationship) of each.
    :raises AccountExists: the number is taken.
    :raises Invalid: a value breaks its field's rule.
    :raises TooManyMembers: more than an account may hold.
    """
    account = CustomerAccount(
        number=number,
        owner_name=owner_name,
        email=email,
        address=address,
        zone=zone or settings.SITE_ZONE,
        status=status,
    )
    check_fields(account)
    _save_account(account, actor)
    _store_members(account, family_members)
    audit.record(
        action="account.created", obj=account, actor=actor, now=now, number=number, family_members=len(family_members)
    )
    return account


@transaction.atomic
def change_account(*, account_id: UUID, changes: Mapping[str, object], actor: Actor, now: datetime) -> CustomerAccount:
    """Change some of an account's fields.

    :param changes: by name: number, owner_name, email, address, zone, status.
    :raises AccountExists: the new number is taken.
    :raises Invalid: a field that cannot be changed, or a value that breaks its rule.
    :raises NoSuchAccount: no account has that id.
    """
    _require_changeable(changes, _CHANGEABLE)
    account = _locked(account_id)
    before = {name: getattr(account, name) for name in changes}
    for name, value in changes.items():
        setattr(account, name, value)
    check_fields(account)
    _save_account(account, actor)
    audit.record(action="account.changed", obj=account, actor=actor, now=now, before=before, after=dict(changes))
    return account


@transaction.atomic
def set_family_members(
    *, account_id: UUID, members: Sequence[tuple[str, str]], actor: Actor, now: datetime
) -> list[FamilyMember]:
    """Replace the family members of an account.

    :param members: (name, relationship) of each.
    :raises Invalid: a name or a relationship is empty or too long.
    :raises NoSuchAccount: no account has that id.
    :raises TooManyMembers: more than an account may hold.
    """
    account = _locked(account_id)
    account.family_members.all().delete()
    stored = _store_members(account, members)
    audit.record(
        action="account.members_set", obj=account, actor=actor, now=now, members=[list(one) for one in members]
    )
    return stored


@transaction.atomic
def add_family_member(*, account_id: UUID, name: str, relationship: str, actor: Actor, now: datetime) -> FamilyMember:
    """Add somebody who lives on an account.

    :raises Invalid: the name or the relationship is empty or too long.
    :raises NoSuchAccount: no account has that id.
    :raises TooManyMembers: the account holds as many as it may.
    """
    account = _locked(account_id)
    (member,) = _store_members(account, [(name, relationship)])
    audit.record(action="account.member_added", obj=account, actor=actor, now=now, name=name, relationship=relationship)
    return member


@transaction.atomic
def change_family_member(
    *, account_id: UUID, member_id: UUID, name: str, relationship: str, actor: Actor, now: datetime
) -> FamilyMember:
    """Correct the name or the relationship of a family member.

    :raises Invalid: the name or the relationship is empty or too long.
    :raises NoSuchMember: the account has no such member.
    """
    member = _locked_member(account_id, member_id)
    before = str(member)
    member.name, member.relationship = name, relationship
    check_fields(member)
    member.save()
    audit.record(
        action="account.member_changed", obj=member.account, actor=actor, now=now, before=before, after=str(member)
    )
    return member


@transaction.atomic
def remove_family_member(*, account_id: UUID, member_id: UUID, actor: Actor, now: datetime) -> None:
    """Take a family member off an account.

    :raises NoSuchMember: the account has no such member.
    """
    member = _locked_member(account_id, member_id)
    account = member.account
    member.delete()
    audit.record(
        action="account.member_removed",
        obj=account,
        actor=actor,
        now=now,
        name=member.name,
        relationship=member.relationship,
    )


@transaction.atomic
def create_premises(
    *,
    address: str,
    zone: str = "",
    location_id: str = "",
    latitude: float | None = None,
    longitude: float | None = None,
    actor: Actor,
    now: datetime,
) -> Premises:
    """Note a place that can be supplied.

    :param zone: IANA name; empty stands for the site's.
    :param latitude: degrees, WGS84; with ``longitude`` or not at all.
    :raises Invalid: a value breaks its field's rule.
    """
    premises = Premises(
        address=address,
        zone=zone or settings.SITE_ZONE,
        location_id=location_id,
        latitude=latitude,
        longitude=longitude,
    )
    _check_premises(premises)
    premises.save()
    audit.record(action="premises.created", obj=premises, actor=actor, now=now, address=address)
    return premises


@transaction.atomic
def change_premises(*, premises_id: UUID, changes: Mapping[str, object], actor: Actor, now: datetime) -> Premises:
    """Change some fields of a place.

    :param changes: by name: address, location_id, zone, latitude, longitude.
    :raises Invalid: a field that cannot be changed, or a value that breaks its rule.
    :raises NotFound: no premises have that id.
    """
    _require_changeable(changes, _PREMISES_CHANGEABLE)
    premises = Premises.objects.select_for_update().filter(pk=premises_id).first()
    if premises is None:
        raise NotFound("There are no such premises.")
    before = {name: getattr(premises, name) for name in changes}
    for name, value in changes.items():
        setattr(premises, name, value)
    _check_premises(premises)
    premises.save()
    audit.record(action="premises.changed", obj=premises, actor=actor, now=now, before=before, after=dict(changes))
    return premises


def _require_changeable(changes: Mapping[str, object], allowed: frozenset[str]) -> None:
    if unknown := sorted(changes.keys() - allowed):
        raise Invalid(f"These cannot be changed: {', '.join(unknown)}.")


def _locked(account_id: UUID) -> CustomerAccount:
    account: CustomerAccount | None = CustomerAccount.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise NoSuchAccount("There is no such account.")
    return account


def _locked_member(account_id: UUID, member_id: UUID) -> FamilyMember:
    members = FamilyMember.objects.select_for_update(of=("self",)).select_related("account")
    member: FamilyMember | None = members.filter(pk=member_id, account=account_id).first()
    if member is None:
        raise NoSuchMember(_("The account has no such member."))
    return member


def _save_account(account: CustomerAccount, actor: Actor) -> None:
    audit.sign_history(account, actor)
    try:
        with transaction.atomic():
            account.save()
    except IntegrityError as error:
        raise AccountExists(f"The account {account.number} exists already.") from error


def _store_members(account: CustomerAccount, members: Sequence[tuple[str, str]]) -> list[FamilyMember]:
    if account.family_members.count() + len(members) > MOST_FAMILY_MEMBERS:
        raise TooManyMembers(_("An account can hold %(most)s family members at most.") % {"most": MOST_FAMILY_MEMBERS})
    made = [FamilyMember(account=account, name=name, relationship=relationship) for name, relationship in members]
    for member in made:
        check_fields(member, exclude={"account"})
    return FamilyMember.objects.bulk_create(made)


def _check_premises(premises: Premises) -> None:
    check_fields(premises)
    latitude, longitude = premises.latitude, premises.longitude
    if latitude is None and longitude is None:
        return
    if latitude is None or longitude is None or not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise Invalid("A position is a latitude of -90 to 90 and a longitude of -180 to 180 degrees, or neither.")
