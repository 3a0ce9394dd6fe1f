"""The forms for what happens at a service point; each leads to one call of a service."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from accounts.models import CustomerAccount
from meters.models import Meter, Register

_MINUTE_FORMAT = "%Y-%m-%dT%H:%M"
_MOST_DIGITS = 15
_DECIMALS = 6


class _Serial(forms.CharField):
    """A meter's serial; cleans to the meter."""

    def __init__(self, **more: Any) -> None:
        super().__init__(max_length=64, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}), **more)

    def clean(self, value: Any) -> Meter:
        serial = super().clean(value)
        meter: Meter | None = Meter.objects.filter(serial=serial).prefetch_related("registers").first()
        if meter is None:
            raise ValidationError(f"No meter has the serial {serial}. Add it under Meters first.", code="unknown_meter")
        return meter


class _AccountNumber(forms.CharField):
    """An account's number; cleans to the account."""

    def __init__(self, **more: Any) -> None:
        super().__init__(max_length=40, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}), **more)

    def clean(self, value: Any) -> CustomerAccount:
        number = super().clean(value)
        account: CustomerAccount | None = CustomerAccount.objects.filter(number=number).first()
        if account is None:
            raise ValidationError(f"No account has the number {number}.", code="unknown_account")
        return account


def minute_text(instant: datetime) -> str:
    """Write an instant as a field of an act does, on the site's clock."""
    return timezone.localtime(instant).strftime(_MINUTE_FORMAT)


def _read_field(label: str, *, required: bool) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=Decimal(0),
        max_digits=_MOST_DIGITS,
        decimal_places=_DECIMALS,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


def _instant_field(label: str = "When") -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label,
        input_formats=[_MINUTE_FORMAT],
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text="On the site's clock.",
    )


class _ActForm(forms.Form):
    """When it happened, and what the registers that hang there showed then."""

    at = _instant_field()
    asks_reads = True
    reads_required = False
    new_reads = False

    def __init__(self, data: Any = None, *, registers: Iterable[Register], now: datetime) -> None:
        super().__init__(data)
        self.registers = list(registers)
        self.fields["at"].initial = minute_text(now)
        for register in self.registers if self.asks_reads else ():
            label = f"{register.meter.serial} {register.code} shows, {register.unit}"
            self.fields[f"read_{register.pk}"] = _read_field(label, required=self.reads_required)
        if self.new_reads:
            for direction, required in ((Register.Direction.IMPORT, True), (Register.Direction.EXPORT, False)):
                label = f"New meter shows, {direction.label.lower()}"
                self.fields[f"first_{direction.value}"] = _read_field(label, required=required)

    def reads(self) -> dict[int, Decimal]:
        """Return what was entered for the registers that hang there, by their ids."""
        entered = {register.pk: self.cleaned_data.get(f"read_{register.pk}") for register in self.registers}
        return {key: value for key, value in entered.items() if value is not None}

    def first_reads(self) -> dict[int, Decimal]:
        """Return what was entered for the new meter's registers, by their ids."""
        meter: Meter = self.cleaned_data["meter"]
        entered = {
            register.pk: self.cleaned_data.get(f"first_{register.direction}") for register in meter.registers.all()
        }
        return {key: value for key, value in entered.items() if value is not None}


class ExchangeForm(_ActForm):
    """One meter for another."""

    meter = _Serial(label="Serial of the new meter")
    reads_required = new_reads = True


class InstallForm(_ActForm):
    """A meter where none hangs."""

    meter = _Serial(label="Serial of the meter")
    new_reads = True


class RemoveForm(_ActForm):
    """A meter taken down."""

    reads_required = True


class MoveForm(_ActForm):
    """An account that is supplied from, or until, an instant."""

    account = _AccountNumber(label="Account number")


def _multiplier_field() -> forms.DecimalField:
    return forms.DecimalField(
        min_value=Decimal("0.0001"), max_digits=12, decimal_places=4, widget=UnfoldAdminDecimalFieldWidget()
    )


class MultiplierForm(forms.Form):
    """Another multiplier from an instant on."""

    at = _instant_field()
    value = _read_field("The register shows", required=True)
    multiplier = _multiplier_field()


class PlaceMultiplierForm(_ActForm):
    """Another multiplier of a register that hangs there, from an instant on."""

    register = forms.TypedChoiceField(widget=UnfoldAdminSelectWidget)
    value = _read_field("The register shows", required=True)
    multiplier = _multiplier_field()
    asks_reads = False

    def __init__(self, data: Any = None, *, registers: Iterable[Register], now: datetime) -> None:
        super().__init__(data, registers=registers, now=now)
        choice = cast("forms.TypedChoiceField", self.fields["register"])
        choice.choices = [
            (register.pk, f"{register}, counts {register.multiplier:f} times") for register in self.registers
        ]
        choice.coerce = {str(register.pk): register for register in self.registers}.__getitem__


class EstimateForm(forms.Form):
    """A stretch whose missing half-hours are estimated: yesterday unless told otherwise."""

    start = _instant_field("From")
    end = _instant_field("To, included")

    def __init__(self, data: Any = None, *, now: datetime) -> None:
        super().__init__(data)
        today = timezone.localtime(now).replace(hour=0, minute=0)
        self.fields["start"].initial = (today - timedelta(days=1)).strftime(_MINUTE_FORMAT)
        self.fields["end"].initial = today.strftime(_MINUTE_FORMAT)


class CorrectionForm(forms.Form):
    """What stands at the end of a half-hour instead, or that nothing does."""

    at = _instant_field()
    value = _read_field("What it showed in truth", required=False)
    withdraw = forms.BooleanField(
        label="Withdraw what stands: nothing is known then",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="The half-hours beside it become a gap, and are estimated.",
    )
    note = forms.CharField(label="Why", max_length=1000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))

    def clean(self) -> dict[str, Any]:
        """Want a value or none, and not both."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "value" in cleaned and (cleaned["value"] is not None) == cleaned["withdraw"]:
            self.add_error("value", "Enter a value, or withdraw what stands.")
        return cleaned


class NoteForm(forms.Form):
    """Why something was decided."""

    note = forms.CharField(label="Why", max_length=1000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))


class OptionalNoteForm(forms.Form):
    """Why something was decided, for who wants to say it."""

    note = forms.CharField(
        label="Why", max_length=1000, required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )


class ExchangedForm(forms.Form):
    """That a value waits because another meter hangs there since."""

    new_serial = forms.CharField(
        label="Serial of the new meter",
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="It is made like the old one where nobody registered it.",
    )
    at = _instant_field()
    last_read = _read_field("The old meter showed", required=True)
    first_read = _read_field("The new meter showed", required=True)
    note = forms.CharField(label="Why", max_length=1000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))
