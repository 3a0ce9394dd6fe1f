"""What a bill rests on: energy between cuts, with the reads behind it, for many accounts at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from energy_portal.shared.clock import Period


@dataclass(frozen=True)
class QuantityRequest:
    """An account, and the instants between which its energy is wanted: n cuts make n - 1 stretches."""

    account_id: UUID
    cuts: tuple[datetime, ...]


@dataclass(frozen=True)
class ReadUsed:
    """A value on the dial that an energy was computed from, before the register's multiplier."""

    serial: str
    register_code: str
    time: datetime
    value: Decimal
    quality: int
    role: Literal["boundary", "installed", "removed"]


@dataclass(frozen=True)
class MeteredQuantity:
    """The imported energy of one service point in one stretch between two cuts.

    ``energy_kwh`` is None, and ``complete`` False, unless both ends of the stretch and everything between are known.
    The stretch is cut to the account's binding.
    """

    service_point_id: UUID
    service_point_code: str
    period: Period
    energy_kwh: Decimal | None
    complete: bool
    estimated_share: Decimal
    reads: tuple[ReadUsed, ...]


def metered_quantities(*, requests: Sequence[QuantityRequest], now: datetime) -> dict[UUID, list[MeteredQuantity]]:
    """Return the metered quantities of many accounts, in a constant number of queries."""
    raise NotImplementedError
