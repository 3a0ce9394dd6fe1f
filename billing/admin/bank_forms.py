"""The forms around banks' files: how one is to be read, and what is to become of a line."""

from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from billing.bankfiles import Options
from billing.bankwords import COLUMNS, DateOrder, DecimalMark
from meters.admin.upload_forms import UploadForm

_COLUMN = "column_"
_ORDERS = (
    ("", "As the file shows"),
    (DateOrder.DMY, "Day, month, year"),
    (DateOrder.MDY, "Month, day, year"),
    (DateOrder.YMD, "Year, month, day"),
)
_MARKS = (("", "As the file shows"), (DecimalMark.POINT, "A point: 1,234.56"), (DecimalMark.COMMA, "A comma: 1.234,56"))


def _text(label: str, help_text: str = "", *, longest: int = 100, initial: str = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=longest,
        initial=initial,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class BankFileForm(UploadForm):
    """A bank's file, and what it does not say itself."""

    layout: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (
        ("File", ("file", "currency")),
        ("Days and amounts", ("date_order", "decimal_mark")),
        ("Columns, where their headings are unusual", tuple(f"{_COLUMN}{name}" for name in COLUMNS)),
    )
    currency = _text("Currency", "Of lines that name none.", longest=3, initial="SGD")
    date_order = forms.ChoiceField(required=False, choices=_ORDERS, widget=UnfoldAdminSelectWidget)
    decimal_mark = forms.ChoiceField(
        label="What parts the cents", required=False, choices=_MARKS, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = "CSV as the bank gives it out. It is only looked at until you book it."
        for name in COLUMNS:
            self.fields[f"{_COLUMN}{name}"] = _text(f"Heading of “{name.replace('_', ' ')}”")

    def options(self) -> Options:
        """Return what was told of the file, once the form is valid."""
        told = self.cleaned_data
        return Options(
            date_order=DateOrder(told["date_order"]) if told["date_order"] else None,
            decimal_mark=DecimalMark(told["decimal_mark"]) if told["decimal_mark"] else None,
            currency=told["currency"],
            columns={name: told[f"{_COLUMN}{name}"] for name in COLUMNS if told[f"{_COLUMN}{name}"]},
        )


class AssignForm(forms.Form):
    """Whose payment a line is."""

    account_number = _text("Account number", longest=40)
    bill_number = _text("Bill number", "Either of the two is enough.", longest=40)


class IgnoreForm(forms.Form):
    """Why a line is no payment."""

    note = _text("Note", "Such as: rent of the office.", longest=200)
