"""What a bill's document says, apart from how it looks."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True)
class Issuer:
    """Who sends the bill, how to pay, and where its pages are."""

    name: str
    address: str
    contact: str
    payment: str = ""
    website: str = ""


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
    estimated: bool = False


@dataclass(frozen=True)
class BilledUse:
    """The energy that a month's bill is for, kWh, and the days over which it was used; None: not billed."""

    month: date
    energy_kwh: Decimal | None
    days: int

    @property
    def kwh_a_day(self) -> Decimal | None:
        """What was used on an average day, to the hundredth."""
        if self.energy_kwh is None or self.days < 1:
            return None
        return (self.energy_kwh / self.days).quantize(Decimal("0.01"))


@dataclass(frozen=True)
class BillDocument:
    """A whole bill or credit note. Amounts are in ``currency``; days are local and inclusive.

    A held draft has no amounts. ``corrects`` is the number of the bill that a credit note takes back or a new bill
    stands in for, ``taken_back_by`` that of the credit note over a withdrawn bill. ``compared`` starts with the use of
    this bill, then the month before and the same month a year ago.
    """

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
    kind: str = "bill"
    corrects: str | None = None
    taken_back_by: str | None = None
    due_on: date | None = None
    compared: tuple[BilledUse, ...] = ()

    @property
    def is_credit_note(self) -> bool:
        return self.kind == "credit_note"
