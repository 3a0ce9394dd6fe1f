"""Register accounts with their meters, or ask for it.

Registering binds meters to a person, so who may not do that makes a request, and a manager decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from accounts.models import CustomerAccount, Premises
from accounts.services import audit
from accounts.services.customers import AccountExists, create_account, create_premises
from energy_portal.shared.clock import local_day, zone
from energy_portal.shared.errors import Conflict, Invalid, NotFound
from meters.models import Installation, Meter, Register, RegistrationRequest, ServicePoint
from meters.models.places import Commodity
from meters.services.chain import PlaceTaken, install_meter, move_in
from meters.services.history import save_as
from meters.services.screening import earliest_accepted

_LONGEST_CODE = 40


class MeterBound(Conflict):
    """A meter supplies another account."""

    code = "meter_bound"


class NotElectric(Invalid):
    """A meter counts something else than electric energy."""

    code = "not_electric"


class AlreadyDecided(Conflict):
    """A request was confirmed or declined before."""

    code = "already_decided"


class NoSuchRequest(NotFound):
    """There is no such request."""


@dataclass(frozen=True)
class Registration:
    """An account with the meters and people that belong to it.

    ``zone`` empty means the site's. ``supplied_since`` None means: a meter that supplied nobody before counts from as
    long ago as readings are accepted, one that did from now on.
    """

    account_number: str
    owner_name: str
    meter_serials: tuple[str, ...]
    email: str = ""
    address: str = ""
    zone: str = ""
    family_members: tuple[tuple[str, str], ...] = ()
    supplied_since: datetime | None = None

    def as_payload(self) -> dict[str, Any]:
        """Return it JSON-safe."""
        since = self.supplied_since.isoformat() if self.supplied_since else None
        return {
            "account_number": self.account_number,
            "owner_name": self.owner_name,
            "meter_serials": list(self.meter_serials),
            "email": self.email,
            "address": self.address,
            "zone": self.zone,
            "family_members": [list(member) for member in self.family_members],
            "supplied_since": since,
        }

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> "Registration":
        """Return what :meth:`as_payload` was made of."""
        since = payload["supplied_since"]
        return cls(
            account_number=payload["account_number"],
            owner_name=payload["owner_name"],
            meter_serials=tuple(payload["meter_serials"]),
            email=payload["email"],
            address=payload["address"],
            zone=payload["zone"],
            family_members=tuple((name, relationship) for name, relationship in payload["family_members"]),
            supplied_since=datetime.fromisoformat(since) if since else None,
        )


@transaction.atomic
def register_account(*, registration: Registration, actor: Actor, now: datetime) -> CustomerAccount:
    """Make an account and bind its meters; the same registration again changes nothing and returns the same account.

    A meter that hangs nowhere gets premises, a service point and a dial 1.8.0; unknown and pending ones become
    active, so that their readings are taken.

    :raises AccountExists: the account exists and is not what is being registered.
    :raises MeterBound: a meter supplies another account; nothing is registered.
    :raises NotElectric: a meter counts something else.
    """
    accounts = CustomerAccount.objects.select_for_update().filter(number=registration.account_number)
    standing: CustomerAccount | None = accounts.first()
    if standing is not None and _is_same(standing, registration):
        return standing
    if standing is not None:
        raise AccountExists(f"The account {registration.account_number} exists already.")
    meters = _take_meters(registration.meter_serials, status=Meter.Status.ACTIVE)
    zone_name = registration.zone or settings.SITE_ZONE
    account = create_account(
        number=registration.account_number,
        owner_name=registration.owner_name,
        email=registration.email,
        address=registration.address,
        zone=zone_name,
        family_members=registration.family_members,
        status=CustomerAccount.Status.ACTIVE,
        actor=actor,
        now=now,
    )
    _supply(account, meters, registration, actor, now)
    audit.record(
        action="account.registered", obj=account, actor=actor, now=now, meters=list(registration.meter_serials)
    )
    return account


@transaction.atomic
def request_registration(*, registration: Registration, actor: Actor, now: datetime) -> RegistrationRequest:
    """Keep a registration for a manager to decide; it binds nothing. Asking again adds nothing.

    Serials that nobody knows yet are noted as pending meters. Whether the account exists, or whom a meter supplies,
    is not told: it shows when a manager confirms.
    """
    payload = registration.as_payload()
    _take_meters(registration.meter_serials, status=Meter.Status.PENDING)
    asked = RegistrationRequest.objects.filter(
        account_number=registration.account_number, status=RegistrationRequest.Status.OPEN, payload=payload
    ).first()
    if asked is not None:
        return asked
    request = RegistrationRequest.objects.create(
        account_number=registration.account_number,
        owner_name=registration.owner_name,
        email=registration.email,
        payload=payload,
        requested_by=actor.user,
    )
    audit.record(action="registration.requested", obj=request, actor=actor, now=now)
    return request


@transaction.atomic
def confirm_request(*, request_id: UUID, actor: Actor, now: datetime) -> CustomerAccount:
    """Carry out a requested registration.

    :raises NoSuchRequest: there is none.
    :raises AlreadyDecided: it was confirmed or declined before.
    :raises AccountExists, MeterBound, NotElectric: see :func:`register_account`; the request stays open.
    """
    request = _open_request(request_id)
    account = register_account(registration=Registration.from_payload(request.payload), actor=actor, now=now)
    _decide(request, RegistrationRequest.Status.CONFIRMED, actor, now, account=account)
    return account


@transaction.atomic
def decline_request(*, request_id: UUID, actor: Actor, now: datetime, note: str = "") -> RegistrationRequest:
    """Close a requested registration without carrying it out; its pending meters stay pending.

    :raises NoSuchRequest: there is none.
    :raises AlreadyDecided: it was confirmed or declined before.
    """
    request = _open_request(request_id)
    request.note = note
    _decide(request, RegistrationRequest.Status.DECLINED, actor, now)
    return request


def _open_request(request_id: UUID) -> RegistrationRequest:
    request = RegistrationRequest.objects.select_for_update().filter(pk=request_id).first()
    if request is None:
        raise NoSuchRequest("There is no such registration request.")
    if request.status != RegistrationRequest.Status.OPEN:
        raise AlreadyDecided(f"The request was {request.status} before.")
    return request


def _decide(
    request: RegistrationRequest,
    status: RegistrationRequest.Status,
    actor: Actor,
    now: datetime,
    account: CustomerAccount | None = None,
) -> None:
    request.status = status
    request.decided_at = now
    request.decided_by = actor.user
    request.account = account
    request.save(update_fields=["status", "decided_at", "decided_by", "account", "note"])
    audit.record(action=f"registration.{status}", obj=request, actor=actor, now=now)


def _is_same(account: CustomerAccount, registration: Registration) -> bool:
    """Tell whether an account is what a registration asks for: a repeat after an answer that was lost."""
    asked = (
        registration.owner_name,
        registration.email,
        registration.address,
        registration.zone or settings.SITE_ZONE,
        sorted(registration.family_members),
    )
    members = sorted(account.family_members.values_list("name", "relationship"))
    if (account.owner_name, account.email, account.address, account.zone, members) != asked:
        return False
    bound = Installation.objects.filter(
        valid__upper_inf=True,
        service_point__bindings__account=account,
        service_point__bindings__valid__upper_inf=True,
    ).values_list("meter__serial", flat=True)
    return set(bound) == set(registration.meter_serials)


def _take_meters(serials: Sequence[str], *, status: Meter.Status) -> list[Meter]:
    """Return the meters of serials, locked in their order; make those that are not known, with a status."""
    known = set(Meter.objects.filter(serial__in=serials).values_list("serial", flat=True))
    missing = sorted(set(serials) - known)
    Meter.objects.bulk_create([Meter(serial=serial, status=status) for serial in missing], ignore_conflicts=True)
    return list(Meter.objects.select_for_update().filter(serial__in=serials).order_by("serial"))


def _supply(
    account: CustomerAccount, meters: Sequence[Meter], registration: Registration, actor: Actor, now: datetime
) -> None:
    """Bind an account to the places where its meters hang; a place is made for those that hang nowhere."""
    hanging = {
        each.meter_id: each
        for each in Installation.objects.select_related("service_point").filter(meter__in=meters, valid__upper_inf=True)
    }
    used_before = used_before_by(meters)
    beginning = beginning_of(account, now)
    premises: Premises | None = None
    for meter in meters:
        if meter.type != Commodity.ELECTRIC:
            raise NotElectric(f"The meter {meter.serial} counts {meter.type}.")
        let_in(meter=meter, actor=actor)
        since = registration.supplied_since or (now if meter.pk in used_before else beginning)
        installation = hanging.get(meter.pk)
        if installation is None:
            premises = premises or create_premises(
                address=registration.address or registration.owner_name, zone=account.zone, actor=actor, now=now
            )
            installation = hang_up(meter=meter, premises=premises, since=since, actor=actor, now=now)
        since = max(since, installation.valid.lower or since)
        try:
            move_in(account=account, service_point=installation.service_point, at=since, actor=actor, now=now)
        except PlaceTaken as error:
            raise MeterBound(f"The meter {meter.serial} supplies another account.") from error


def hang_up(*, meter: Meter, premises: Premises, since: datetime, actor: Actor, now: datetime) -> Installation:
    """Take a meter that hangs nowhere to hang at a place of its own at some premises, where it is since an instant.

    :raises BadEvent: the instant lies ahead.
    """
    place = ServicePoint(code=_code_for(meter), premises=premises, commodity=meter.type)
    save_as(actor, place)
    if not meter.address:
        # Who is sent to read it has to find it.
        meter.address = premises.address
        save_as(actor, meter, ["address", "updated_at"])
    return install_meter(meter=meter, service_point=place, at=since, first_reads={}, actor=actor, now=now)


def beginning_of(account: CustomerAccount, now: datetime) -> datetime:
    """Return from when on an account counts where nobody else was supplied before: as long ago as readings enter."""
    return local_day(earliest_accepted(now).astimezone(zone(account.zone)).date(), zone(account.zone)).start


def used_before_by(meters: Sequence[Meter]) -> set[UUID]:
    """Return the meters whose past counts may be somebody else's: they supplied an account, or hung elsewhere."""
    stays = Installation.objects.filter(meter__in=meters)
    return {
        *stays.filter(service_point__bindings__isnull=False).values_list("meter_id", flat=True),
        *stays.filter(valid__upper_inf=False).values_list("meter_id", flat=True),
    }


def let_in(*, meter: Meter, actor: Actor) -> None:
    """Let a meter's readings in: a pending one becomes active, an electric one without registers gets a dial."""
    if meter.status == Meter.Status.PENDING:
        meter.status = Meter.Status.ACTIVE
        save_as(actor, meter, ["status", "updated_at"])
    if meter.type == Commodity.ELECTRIC and not meter.registers.exists():
        save_as(actor, Register(meter=meter))


def _code_for(meter: Meter) -> str:
    """Return a code for the place where a meter is taken to hang: after its serial, where that is free."""
    code = f"SP-{meter.serial}"
    if len(code) > _LONGEST_CODE or ServicePoint.objects.filter(code=code).exists():
        return f"SP-{uuid4().hex[:12].upper()}"
    return code
