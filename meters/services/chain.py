"""What happens at a service point: meters come and go, multipliers change, people move in and out."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from accounts.actors import Actor
from accounts.models import CustomerAccount
from meters.models import Binding, Installation, Meter, Register, ServicePoint


def install_meter(
    *,
    meter: Meter,
    service_point: ServicePoint,
    at: datetime,
    first_reads: Mapping[int, Decimal],
    actor: Actor,
    now: datetime,
) -> Installation:
    """Hang a meter at a service point, with what its registers (by id) show there and then."""
    raise NotImplementedError


def remove_meter(
    *, meter: Meter, at: datetime, last_reads: Mapping[int, Decimal], actor: Actor, now: datetime
) -> Installation:
    """Take a meter off its service point, with what its registers (by id) show there and then."""
    raise NotImplementedError


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
    """Replace the meter at a service point by another in one act."""
    raise NotImplementedError


def move_in(
    *,
    account: CustomerAccount,
    service_point: ServicePoint,
    at: datetime,
    actor: Actor,
    now: datetime,
    reads: Mapping[int, Decimal] | None = None,
) -> Binding:
    """Bind an account to a service point from an instant on."""
    raise NotImplementedError


def move_out(
    *,
    account: CustomerAccount,
    service_point: ServicePoint,
    at: datetime,
    actor: Actor,
    now: datetime,
    reads: Mapping[int, Decimal] | None = None,
) -> Binding:
    """End an account's binding to a service point."""
    raise NotImplementedError


def change_multiplier(
    *, register: Register, multiplier: Decimal, value: Decimal, at: datetime, actor: Actor, now: datetime
) -> Register:
    """Let another multiplier count from an instant on, at which the register shows ``value``."""
    raise NotImplementedError
