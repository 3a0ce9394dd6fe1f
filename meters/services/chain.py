"""What happens at a service point: meters come and go, multipliers change, people move in and out.

Each act locks the service point, so that two acts at one place follow one another, and notes what the dials showed:
these reads are neighbours to telemetry and ends of its curves.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.actors import Actor
from accounts.models import CustomerAccount
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Invalid
from meters import store
from meters.models import Binding, ChainEvent, Installation, Meter, Register, ServicePoint
from meters.services.changes import tell_of_change
from meters.services.history import save_as
from meters.services.judging import Estimates, Standing
from meters.services.openings import rollover
from meters.services.recording import Changes, record
from meters.services.screening import latest_accepted
from meters.services.standing import RANKS, standing_around
from meters.validation import Dial, History, Rank, Refused, plain


class PlaceTaken(Conflict):
    """A meter hangs there already, or an account is supplied there already."""

    code = "place_taken"


class MeterInUse(Conflict):
    """The meter hangs somewhere at that time."""

    code = "meter_in_use"


class NotInstalled(Conflict):
    """The meter does not hang there at that time."""

    code = "not_installed"


class NotBound(Conflict):
    """The account is not supplied there at that time."""

    code = "not_bound"


class BadEvent(Invalid):
    """An event's instant, or what it says of a register, cannot be."""

    code = "bad_event"


@transaction.atomic
def install_meter(
    *,
    meter: Meter,
    service_point: ServicePoint,
    at: datetime,
    first_reads: Mapping[int, Decimal],
    actor: Actor,
    now: datetime,
) -> Installation:
    """Hang a meter at a service point, with what its registers (by id) show there and then.

    :raises PlaceTaken: a meter hangs there at that time or later.
    :raises MeterInUse: this meter hangs somewhere at that time or later.
    :raises BadEvent: a future instant, or a read that is not one of this meter's.
    """
    _lock(service_point)
    _require_past(at, now)
    valid = DateTimeTZRange(at, None, "[)")
    if Installation.objects.filter(service_point=service_point, valid__overlap=valid).exists():
        raise PlaceTaken(f"A meter hangs at {service_point} already.")
    try:
        with transaction.atomic():
            installation = Installation.objects.create(meter=meter, service_point=service_point, valid=valid)
    except IntegrityError as error:
        raise MeterInUse(f"The meter {meter} hangs somewhere already.") from error
    _note_reads(service_point, _registers(meter), first_reads, ChainEvent.Kind.INSTALLED, at, now)
    _tell("meter.installed", meter, service_point, at, actor, now)
    return installation


@transaction.atomic
def remove_meter(
    *, meter: Meter, at: datetime, last_reads: Mapping[int, Decimal], actor: Actor, now: datetime
) -> Installation:
    """Take a meter off its service point, with what its registers (by id) show there and then.

    Its status stays: late readings of the time when it hung are still welcome, later ones are refused.

    :raises NotInstalled: it hangs nowhere.
    :raises BadEvent: an instant before it was hung up or in the future, or a read that cannot be.
    """
    found = Installation.objects.select_related("service_point").filter(meter=meter, valid__upper_inf=True).first()
    if found is None:
        raise NotInstalled(f"The meter {meter} hangs nowhere.")
    _lock(found.service_point)
    installation: Installation = Installation.objects.select_related("service_point").get(pk=found.pk)
    if not installation.valid.upper_inf:
        raise NotInstalled(f"The meter {meter} hangs nowhere.")
    _require_past(at, now)
    installation.valid = _closed(installation.valid, at)
    installation.save(update_fields=["valid"])
    place = installation.service_point
    _note_reads(place, _registers(meter), last_reads, ChainEvent.Kind.REMOVED, at, now)
    _tell("meter.removed", meter, place, at, actor, now)
    return installation


@transaction.atomic
def exchange_meter(
    *,
    service_point: ServicePoint,
    last_reads: Mapping[int, Decimal],
    new_meter: Meter,
    first_reads: Mapping[int, Decimal],
    at: datetime,
    actor: Actor,
    now: datetime,
) -> Installation:
    """Replace the meter at a service point by another in one act; both reads are noted, and nothing is lost between.

    :raises NotInstalled: no meter hangs there.
    :raises MeterInUse: the new meter hangs somewhere at that time or later.
    :raises BadEvent: see :func:`install_meter` and :func:`remove_meter`.
    """
    _lock(service_point)
    hanging = service_point.installations.select_related("meter").filter(valid__upper_inf=True).first()
    if hanging is None:
        raise NotInstalled(f"No meter hangs at {service_point}.")
    _lock_states([*last_reads, *first_reads])
    remove_meter(meter=hanging.meter, at=at, last_reads=last_reads, actor=actor, now=now)
    return install_meter(
        meter=new_meter, service_point=service_point, at=at, first_reads=first_reads, actor=actor, now=now
    )


@transaction.atomic
def move_in(
    *,
    account: CustomerAccount,
    service_point: ServicePoint,
    at: datetime,
    actor: Actor,
    now: datetime,
    reads: Mapping[int, Decimal] | None = None,
    until: datetime | None = None,
) -> Binding:
    """Bind an account to a service point from an instant on; the instant may lie ahead when nothing was read.

    :param until: when it moved out again, where that is known already.
    :raises PlaceTaken: an account is supplied there in that time.
    :raises BadEvent: reads from the future, or that cannot be.
    """
    _lock(service_point)
    valid = DateTimeTZRange(at, until, "[)")
    if Binding.objects.filter(service_point=service_point, valid__overlap=valid).exists():
        raise PlaceTaken(f"An account is supplied at {service_point} already.")
    binding = Binding(account=account, service_point=service_point, valid=valid)
    save_as(actor, binding)
    _note_move(account, service_point, reads or {}, ChainEvent.Kind.MOVED_IN, at, now)
    if until is not None:
        _note_move(account, service_point, {}, ChainEvent.Kind.MOVED_OUT, until, now)
    _tell("account.moved_in", account, service_point, at, actor, now)
    return binding


@transaction.atomic
def move_out(
    *,
    account: CustomerAccount,
    service_point: ServicePoint,
    at: datetime,
    actor: Actor,
    now: datetime,
    reads: Mapping[int, Decimal] | None = None,
) -> Binding:
    """End an account's binding to a service point.

    :raises NotBound: the account is not supplied there.
    :raises BadEvent: an instant before it moved in, or reads that cannot be.
    """
    _lock(service_point)
    binding: Binding | None = Binding.objects.filter(
        account=account, service_point=service_point, valid__upper_inf=True
    ).first()
    if binding is None:
        raise NotBound(f"{account} is not supplied at {service_point}.")
    binding.valid = _closed(binding.valid, at)
    save_as(actor, binding, ["valid"])
    _note_move(account, service_point, reads or {}, ChainEvent.Kind.MOVED_OUT, at, now)
    _tell("account.moved_out", account, service_point, at, actor, now)
    return binding


@transaction.atomic
def change_multiplier(
    *, register: Register, multiplier: Decimal, value: Decimal, at: datetime, actor: Actor, now: datetime
) -> Register:
    """Let another multiplier count from an instant on, at which the register shows ``value``.

    :raises NotInstalled: the register's meter does not hang anywhere then.
    :raises BadEvent: a multiplier that is not positive, an earlier instant than the last change, or a bad read.
    """
    installation = (
        Installation.objects.select_related("service_point").filter(meter=register.meter_id, valid__contains=at).first()
    )
    if installation is None:
        raise NotInstalled(f"The meter of {register} hangs nowhere at {at.isoformat()}.")
    place = installation.service_point
    _lock(place)
    _require_past(at, now)
    register = Register.objects.select_for_update().get(pk=register.pk)
    if multiplier <= 0:
        raise BadEvent("A multiplier is greater than zero.")
    changes = ChainEvent.objects.filter(register=register, multiplier__isnull=False)
    if changes.filter(at__gte=at).exists() or at == installation.valid.lower:
        raise BadEvent("The multiplier was set at that time or later.")
    if not changes.exists():
        # What held until now must stay known for the curve before the change.
        ChainEvent.objects.create(
            service_point=place,
            register=register,
            kind=ChainEvent.Kind.MULTIPLIER_CHANGED,
            at=installation.valid.lower or register.created_at,
            multiplier=register.multiplier,
        )
    before = register.multiplier
    register.multiplier = multiplier
    save_as(actor, register, ["multiplier"])
    _note_reads(
        place,
        {register.pk: register},
        {register.pk: value},
        ChainEvent.Kind.MULTIPLIER_CHANGED,
        at,
        now,
        multiplier=multiplier,
    )
    audit.record(
        action="register.multiplier_changed",
        obj=register,
        actor=actor,
        now=now,
        at=at.isoformat(),
        before=str(before),
        after=str(multiplier),
    )
    tell_of_change(service_point=place, act="register.multiplier_changed", at=at, now=now)
    return register


def _tell(
    act: str, of: Meter | CustomerAccount, service_point: ServicePoint, at: datetime, actor: Actor, now: datetime
) -> None:
    audit.record(action=act, obj=of, actor=actor, now=now, at=at.isoformat(), place=service_point.code)
    data = {"account_id": str(of.pk)} if isinstance(of, CustomerAccount) else {}
    tell_of_change(service_point=service_point, act=act, at=at, now=now, **data)


def _lock_states(register_ids: Iterable[int]) -> dict[int, store.State]:
    ids = list(register_ids)
    store.add_states(ids)
    return store.lock_states(ids)


def _lock(service_point: ServicePoint) -> None:
    ServicePoint.objects.select_for_update().get(pk=service_point.pk)


def _require_past(at: datetime, now: datetime) -> None:
    if at > latest_accepted(now):
        raise BadEvent(f"{at.isoformat()} has not come yet.")


def _closed(valid: DateTimeTZRange, at: datetime) -> DateTimeTZRange:
    if valid.lower is not None and at <= valid.lower:
        raise BadEvent(f"It began only at {valid.lower.isoformat()}.")
    return DateTimeTZRange(valid.lower, at, "[)")


def _registers(meter: Meter) -> dict[int, Register]:
    return {register.pk: register for register in meter.registers.all()}


def _note_move(
    account: CustomerAccount,
    service_point: ServicePoint,
    reads: Mapping[int, Decimal],
    kind: ChainEvent.Kind,
    at: datetime,
    now: datetime,
) -> None:
    if not reads:
        ChainEvent.objects.create(service_point=service_point, account=account, kind=kind, at=at)
        return
    _require_past(at, now)
    installation = service_point.installations.select_related("meter").filter(valid__contains=at).first()
    registers = _registers(installation.meter) if installation else {}
    _note_reads(service_point, registers, reads, kind, at, now, account=account)


def _note_reads(
    service_point: ServicePoint,
    registers: Mapping[int, Register],
    reads: Mapping[int, Decimal],
    kind: ChainEvent.Kind,
    at: datetime,
    now: datetime,
    **more: Any,
) -> None:
    """Record what registers showed at an event, judged like readings under the same locks."""
    if unknown := reads.keys() - registers.keys():
        raise BadEvent(f"The meter that hangs there has no register {min(unknown)}.")
    if not reads:
        ChainEvent.objects.create(service_point=service_point, kind=kind, at=at)
        return
    states = _lock_states(reads)
    standing = standing_around({register_id: [at] for register_id in reads}, states)
    changes = Changes()
    for register_id, value in sorted(reads.items()):
        found = standing[register_id]
        turned = _judge(registers[register_id], found, at, value, kind, service_point)
        if turned is not None:
            rollover(register_id=register_id, time=turned, value=value, source=None, now=now).save()
        ChainEvent.objects.create(
            service_point=service_point, register_id=register_id, kind=kind, at=at, value=value, **more
        )
        estimates = Estimates(
            register_id, found.estimates, is_dial=registers[register_id].kind == Register.Kind.CUMULATIVE
        )
        estimates.undo(History(_dial(registers[register_id], service_point), found.true), at)
        changes.drop(register_id, estimates)
    store.advance_states((register_id, at, value) for register_id, value in reads.items())
    record(changes, states=states, now=now)


def _judge(
    register: Register,
    standing: Standing,
    at: datetime,
    value: Decimal,
    kind: ChainEvent.Kind,
    service_point: ServicePoint,
) -> datetime | None:
    """Judge a read between its neighbours; return the instant of the value that a roll-over led to."""
    if not 0 <= value < register.modulus:
        raise BadEvent(f"{register} shows values from 0 to below {register.modulus}, not {plain(value)}.")
    history = History(_dial(register, service_point), standing.true)
    try:
        return history.check(at, value, rank=RANKS.get(kind, Rank.FIELD))
    except Refused as error:
        raise BadEvent(error.detail) from error


def _dial(register: Register, service_point: ServicePoint) -> Dial:
    return Dial(register.modulus, register.multiplier, service_point.greatest_rate_per_hour)
