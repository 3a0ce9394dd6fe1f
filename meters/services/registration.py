"""Register accounts with their meters, or ask for it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.actors import Actor
from accounts.models import CustomerAccount
from meters.models import RegistrationRequest


@dataclass(frozen=True)
class Registration:
    """An account with the meters and people that belong to it.

    ``supplied_since`` None means: from as long ago as readings are accepted, for a meter that nobody was bound to before.
    """

    account_number: str
    owner_name: str
    meter_serials: tuple[str, ...]
    email: str = ""
    address: str = ""
    zone: str = ""
    family_members: tuple[tuple[str, str], ...] = ()
    supplied_since: datetime | None = None


def register_account(*, registration: Registration, actor: Actor, now: datetime) -> CustomerAccount:
    """Make an account and bind its meters."""
    raise NotImplementedError


def request_registration(*, registration: Registration, actor: Actor, now: datetime) -> RegistrationRequest:
    """Keep a registration for a manager to decide; it binds nothing."""
    raise NotImplementedError


def confirm_request(*, request_id: UUID, actor: Actor, now: datetime) -> CustomerAccount:
    """Carry out a requested registration."""
    raise NotImplementedError


def decline_request(*, request_id: UUID, actor: Actor, now: datetime, note: str = "") -> RegistrationRequest:
    """Close a requested registration without carrying it out."""
    raise NotImplementedError
