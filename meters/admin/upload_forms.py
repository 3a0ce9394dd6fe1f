"""The forms for files that come in by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.template.defaultfilters import filesizeformat
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from energy_portal.shared.clock import LabelConvention
from meters.formats.layout import COLUMNS
from meters.formats.reading import FileFormat
from meters.models.places import Commodity
from meters.services.file_imports import AUTO, ImportOptions

_COLUMN = "column_"
_FORMATS = (
    (AUTO, "By how it begins"),
    (FileFormat.CSV, "CSV"),
    (FileFormat.NEM12, "NEM12 or NEM13"),
    (FileFormat.GREEN_BUTTON, "Green Button"),
)
_LABELS = (
    ("", "The end of the half-hour"),
    (LabelConvention.PERIOD_START, "The start of the half-hour"),
    (LabelConvention.END_MINUS_ONE, "The end, written as 23:59 at midnight"),
)


@dataclass(frozen=True)
class Section:
    """Fields that belong together; closed until somebody opens it, unless ``is_open``."""

    title: str
    fields: tuple[forms.BoundField, ...]
    is_open: bool


class UploadForm(forms.Form):
    """A file, and sections of what is to be known of it."""

    layout: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()
    file = forms.FileField(widget=UnfoldAdminFileFieldWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = f"At most {filesizeformat(settings.MAX_FILE_SIZE)}; also packed as .gz."

    def sections(self) -> Iterator[Section]:
        """Yield the sections, the first one open, the others where something in them is wrong."""
        for place, (title, names) in enumerate(self.layout):
            found = tuple(self[name] for name in names)
            yield Section(title, found, place == 0 or any(field.errors for field in found))


def _text(label: str, help_text: str = "", *, longest: int = 64, initial: str = "") -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(
        label=label, required=False, max_length=longest, initial=initial, help_text=help_text, widget=widget
    )


def _choice(label: str, choices: Any, help_text: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, required=False, choices=choices, help_text=help_text, widget=UnfoldAdminSelectWidget
    )


def dry_run_field() -> forms.BooleanField:
    """Return the box that asks for a report alone; ticked until somebody decides otherwise."""
    return forms.BooleanField(
        label="Dry run: only report what would happen",
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
        help_text="Nothing is stored; once the report looks right, its page takes the same file in.",
    )


class BindingsForm(UploadForm):
    """A mapping of accounts to meters."""

    layout: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (("File", ("file", "dry_run")),)
    dry_run = dry_run_field()


class ReadingsForm(UploadForm):
    """A file of readings, and what it does not say itself."""

    layout: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (
        ("File", ("file", "format", "dry_run", "create_meters")),
        ("Times of a table", ("zone", "labels", "interval_minutes")),
        ("Values of a table", ("serial", "commodity", "unit", "scale")),
        ("Columns of a table", tuple(f"{_COLUMN}{name}" for name in COLUMNS)),
    )
    format = _choice("Format", _FORMATS)
    dry_run = dry_run_field()
    create_meters = forms.BooleanField(
        label="Make the meters that nobody knows",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="They hang nowhere until somebody installs them; their readings are kept.",
    )
    zone = _text("Time zone", "Of times without an offset, such as Europe/Berlin; empty means the site's.")
    labels = _choice("A time names", _LABELS)
    interval_minutes = forms.IntegerField(
        label="Minutes of an interval",
        required=False,
        min_value=0,
        max_value=30,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Where rows tell energy by interval and no start. Empty: rows tell what a dial shows.",
    )
    serial = _text("Meter", "The serial where the file names none.")
    commodity = _choice("Commodity", (("", "As the units say"), *Commodity.choices), "Of meters that are made.")
    unit = _text("Unit", "Where rows name none; empty means the register's own.", longest=10)
    scale = _text("Multiply values by", "500 makes kWh of the mean MW of a half-hour.", longest=20, initial="1")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in COLUMNS:
            self.fields[f"{_COLUMN}{name}"] = _text(f"Heading of “{name}”", longest=100)

    def options(self) -> ImportOptions:
        """Return what was told of the file, once the form is valid."""
        told = self.cleaned_data
        headings = {name: told[f"{_COLUMN}{name}"] for name in COLUMNS}
        return ImportOptions(
            format=told["format"] or AUTO,
            zone=told["zone"],
            labels=told["labels"],
            serial=told["serial"],
            unit=told["unit"],
            scale=told["scale"] or "1",
            interval_minutes=told["interval_minutes"] or 0,
            columns={name: heading for name, heading in headings.items() if heading},
            commodity=told["commodity"],
            create_meters=told["create_meters"],
            dry_run=told["dry_run"],
        )
