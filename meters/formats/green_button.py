"""Green Button files (NAESB REQ.21, ESPI in an Atom feed): in.

A file is read twice: first for what its entries say of each other, in whatever order they stand, then for its readings,
which are never held.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import BinaryIO
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

import defusedxml.sax
from defusedxml import DefusedXmlException

from energy_portal.shared.errors import DomainError
from meters.formats.green_button_codes import ReadingType, reading_type
from meters.formats.records import FileFault, FileReading, Records, Unreadable, number, quality

_CHUNK_BYTES = 1 << 16
_LONGEST_SECONDS = 12
_MOST_PIECES, _LONGEST_PIECE = 100, 1_000


def read_green_button(file: BinaryIO, *, default_serial: str = "") -> Records:
    """Yield the readings of every interval block.

    The meter is the title of the usage point. Flow forward is 1.8.0, reverse 2.8.0. Where the XML breaks off, what
    stood before stands.

    :param file: seekable.
    :param default_serial: the meter of all readings, whatever the usage points are called.
    """
    begin = file.tell()
    directory = _Directory()
    deque(_parse(file, directory), maxlen=0)
    file.seek(begin)
    yield from _parse(file, _Blocks(directory, default_serial))


def _parse(file: BinaryIO, handler: "_Entries") -> Records:
    parser = defusedxml.sax.make_parser()
    parser.setContentHandler(handler)
    handler.setDocumentLocator(parser)
    try:
        while chunk := file.read(_CHUNK_BYTES):
            parser.feed(chunk)
            yield from handler.found
            handler.found.clear()
        parser.close()
    except SAXParseException as error:
        yield from handler.found
        yield FileFault(error.getLineNumber() or 1, "malformed_xml", f"The XML breaks: {error.getMessage()}.")
    except DefusedXmlException:
        yield FileFault(handler.line, "forbidden_xml", "The file declares entities, which are never expanded.")


class _Entries(ContentHandler):
    """Follows a feed: which entry, which element, and the text of the innermost one."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[FileReading | FileFault] = []
        self.entry = 0
        self._path: list[str] = []
        self._text: list[str] = []

    @property
    def line(self) -> int:
        """The line that is being read."""
        return self._locator.getLineNumber() or 1  # type: ignore[attr-defined]

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        """Enter an element, whatever its namespace is called."""
        tag = name.rpartition(":")[2]
        self._path.append(tag)
        self._text.clear()
        if tag == "entry":
            self.entry += 1
        self.opened(tag, attrs)

    def characters(self, content: str) -> None:
        """Gather text, which may come in pieces; no title or number is as long as what a file could hold."""
        if len(self._text) < _MOST_PIECES:
            self._text.append(content[:_LONGEST_PIECE])

    def endElement(self, name: str) -> None:  # noqa: N802
        """Leave an element."""
        tag = self._path.pop()
        self.closed(tag, self._path[-1] if self._path else "", "".join(self._text).strip())
        self._text.clear()

    def opened(self, tag: str, attrs: AttributesImpl) -> None:
        """Note that an element begins."""

    def closed(self, tag: str, parent: str, text: str) -> None:
        """Note that an element ends, with the text that stood in it alone."""


@dataclass
class _Entry:
    """What one Atom entry says of itself."""

    kinds: set[str] = field(default_factory=set)
    title: str = ""
    own: str = ""
    up: str = ""
    related: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


class _Directory(_Entries):
    """Notes the entries that are few: usage points, meter readings, reading types; and where each block belongs."""

    KINDS = frozenset({"UsagePoint", "MeterReading", "ReadingType", "IntervalBlock"})

    def __init__(self) -> None:
        super().__init__()
        self._titles: dict[str, str] = {}
        self._meter_readings: dict[str, _Entry] = {}
        self._types: dict[str, dict[str, str]] = {}
        self._ups: dict[int, str] = {}
        self._now = _Entry()

    def opened(self, tag: str, attrs: AttributesImpl) -> None:
        """Note a link, and what kind of entry this is."""
        if tag == "entry":
            self._now = _Entry()
        elif tag == "link":
            self._link(attrs.get("rel", ""), attrs.get("href", ""))
        elif tag in self.KINDS:
            self._now.kinds.add(tag)

    def _link(self, relation: str, href: str) -> None:
        if relation == "self":
            self._now.own = href
        elif relation == "up":
            self._now.up = href
        elif relation == "related":
            self._now.related.append(href)

    def closed(self, tag: str, parent: str, text: str) -> None:
        """Note a title or a field of a reading type, or file the entry."""
        if tag == "title" and parent == "entry":
            self._now.title = text
        elif parent == "ReadingType":
            self._now.fields[tag] = text
        elif tag == "entry":
            self._file(self._now)

    def _file(self, entry: _Entry) -> None:
        if "UsagePoint" in entry.kinds:
            self._titles[entry.own] = entry.title
        elif "MeterReading" in entry.kinds:
            self._meter_readings[entry.own] = entry
        elif "ReadingType" in entry.kinds:
            self._types[entry.own] = entry.fields
        elif "IntervalBlock" in entry.kinds:
            self._ups[self.entry] = entry.up

    def series_of(self, entry: int) -> tuple[str, ReadingType]:
        """Return the title of a block's usage point, empty where it has none, and how its values are to be read.

        :raises Unreadable: it leads to no reading type, or to one that the portal does not know.
        """
        reading = self._meter_readings.get(self._ups.get(entry, "").removesuffix("/IntervalBlock"))
        if reading is None and len(self._meter_readings) == 1:
            (reading,) = self._meter_readings.values()
        point = reading.up.removesuffix("/MeterReading") if reading else ""
        types = [self._types[href] for href in (reading.related if reading else ()) if href in self._types]
        types = types or list(self._types.values())
        if len(types) != 1:
            raise Unreadable("The block leads to no reading type.", code="no_reading_type")
        titles = self._titles
        return titles.get(point, next(iter(titles.values())) if len(titles) == 1 else ""), reading_type(types[0])


class _Blocks(_Entries):
    """Yields the readings, as they end."""

    def __init__(self, directory: _Directory, default_serial: str) -> None:
        super().__init__()
        self._directory = directory
        self._default_serial = default_serial
        self._series: tuple[str, ReadingType] | None = None
        self._reading_line = 0
        self._fields: dict[str, str] = {}

    def opened(self, tag: str, attrs: AttributesImpl) -> None:
        """Find out what a block counts; note where a reading begins."""
        if tag == "IntervalBlock":
            self._series = None
            try:
                title, type_ = self._directory.series_of(self.entry)
                self._series = self._serial(title), type_
            except DomainError as error:
                self.found.append(FileFault.of(self.line, error))
        elif tag == "IntervalReading":
            self._reading_line, self._fields = self.line, {}

    def _serial(self, title: str) -> str:
        if serial := self._default_serial or title:
            return serial
        raise Unreadable("The file names no meter.")

    def closed(self, tag: str, parent: str, text: str) -> None:
        """Note a field of a reading, or keep the reading."""
        if parent in {"IntervalReading", "timePeriod", "ReadingQuality"}:
            self._fields[tag] = text
        elif tag == "IntervalReading" and self._series is not None:
            try:
                self.found.append(_reading(self._reading_line, self._fields, *self._series))
            except DomainError as error:
                self.found.append(FileFault.of(self._reading_line, error))


def _reading(line: int, fields: dict[str, str], serial: str, type_: ReadingType) -> FileReading:
    start = _instant(_seconds(fields, "start"))
    end = _instant(_seconds(fields, "start") + _seconds(fields, "duration"))
    if type_.delta and end == start:
        raise Unreadable("The interval is empty.")
    return FileReading(
        line=line,
        serial=serial,
        register_code=type_.register_code,
        start=start if type_.delta else None,
        end=end,
        value=_value(fields.get("value", ""), type_.power),
        unit=type_.unit,
        quality=quality(fields.get("quality", "")),
    )


def _value(text: str, power: int) -> Decimal:
    """Return a value in the portal's unit; what counts is its size there, not how many digits are written."""
    if text.removeprefix("-").isdecimal() and text.isascii() and len(text) <= 20:
        return number(format(Decimal(text).scaleb(power), "f"))
    return number(text).scaleb(power)


def _seconds(fields: dict[str, str], name: str) -> int:
    text = fields.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_SECONDS):
        raise Unreadable(f"The reading does not say its {name} in seconds.", code="time_missing")
    return int(text)


def _instant(seconds: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError as error:
        raise Unreadable("The time lies outside the calendar.") from error
