"""What a bill's document says, apart from how it looks."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True)
class Issuer:
    """Who sends the bill."""

    name: str
    address: str
    contact: str


@dataclass(frozen=True)
class DocumentLine:
    """One line: a quantity at a rate, or a tax on an amount. Days are local and inclusive."""

    kind: str
    description: str
    first_day: date
    last_day: date
    quantity: Decimal
    unit: str
    rate: Decimal
    amount: Decimal


@dataclass(frozen=True)
class DocumentRead:
    """One register read that a quantity follows from; ``time`` is in the account's zone, ``value`` in kWh shown."""

    service_point: str
    serial: str
    register_code: str
    time: datetime
    value: Decimal
    quality: int | None
    role: str


@dataclass(frozen=True)
class DayUse:
    """A local day's energy, kWh; None where it is not known."""

    day: date
    energy_kwh: Decimal | None


@dataclass(frozen=True)
class BillDocument:
    """A whole bill. Amounts are in ``currency``; days are local and inclusive. A held draft has no amounts."""

    issuer: Issuer
    number: str | None
    status: str
    account_number: str
    owner_name: str
    address: str
    first_day: date
    last_day: date
    issued_on: date | None
    zone: str
    currency: str
    consumption_kwh: Decimal | None
    subtotal: Decimal | None
    tax: Decimal | None
    total: Decimal | None
    estimated_share: Decimal
    lines: tuple[DocumentLine, ...]
    reads: tuple[DocumentRead, ...]
    held_because: str = ""
    daily_use: tuple[DayUse, ...] = ()
