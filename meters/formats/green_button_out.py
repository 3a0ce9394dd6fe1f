"""Green Button files (NAESB REQ.21, ESPI in an Atom feed): out."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, groupby
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape, quoteattr

from meters.formats.green_button_codes import (
    COMMODITIES,
    CUBIC_METRES,
    CUMULATIVE,
    DELTA,
    FORWARD,
    JOULES,
    REVERSE,
    WATT_HOURS,
)
from meters.formats.obis import GAS, HEAT, USUAL_CODE, WATER
from meters.formats.records import GJ, KWH, M3, TOTAL_EXPORT, FileReading, Unreadable

_ATOM, _ESPI = "http://www.w3.org/2005/Atom", "http://naesb.org/espi"
_UOM = {KWH: (WATT_HOURS, -3), M3: (CUBIC_METRES, -6), GJ: (JOULES, 3)}
_FLOW = {**dict.fromkeys(USUAL_CODE.values(), FORWARD), TOTAL_EXPORT: REVERSE}
_ENERGY, _VOLUME, _ELECTRICITY = "12", "58", "1"
_COMMODITY = {USUAL_CODE[commodity]: number for number, commodity in COMMODITIES.items()}
# What a usage point is supplied with: electricity unless its registers count another commodity.
_SERVICE = {USUAL_CODE[GAS]: "1", USUAL_CODE[WATER]: "2", USUAL_CODE[HEAT]: "4"}
_PORTAL_DECIMALS = 6
_GREATEST = 2**47 - 1


class _Series(NamedTuple):
    """What readings share that one reading type can describe."""

    serial: str
    register_code: str
    unit: str
    length_seconds: int | None


def write_green_button(readings: Iterable[FileReading], *, made_at: datetime) -> Iterator[bytes]:
    """Yield a feed of readings, a block a day (UTC); every sixth decimal of a value is kept, and its quality with it.

    :param readings: sorted by meter, register and time.
    :raises Unreadable: a register or a unit that a reading type cannot name.
    :raises ValueError: a value finer than six decimals, or beyond ESPI's 48 bits.
    """
    updated = f"{made_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    feed = _Feed(updated)
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="{_ATOM}">\n<id>{_urn(updated)}</id>\n'
        f"<title>Green Button Usage Feed</title>\n<updated>{updated}</updated>\n"
    ).encode()
    for number, (serial, of_meter) in enumerate(groupby(readings, lambda each: each.serial), start=1):
        point, first = f"/espi/1_1/resource/UsagePoint/{number}", next(of_meter)
        service = f"<ServiceCategory><kind>{_SERVICE.get(first.register_code, '0')}</kind></ServiceCategory>"
        yield feed.entry(point, [], f'<UsagePoint xmlns="{_ESPI}">{service}</UsagePoint>', title=serial)
        for place, (series, run) in enumerate(groupby(chain([first], of_meter), _series_of), start=1):
            yield from _series_entries(feed, point, f"{number}-{place}", series, run)
    yield b"</feed>\n"


def _series_entries(
    feed: "_Feed", point: str, name: str, series: _Series, readings: Iterable[FileReading]
) -> Iterator[bytes]:
    reading, type_ = f"{point}/MeterReading/{name}", f"/espi/1_1/resource/ReadingType/{name}"
    links = [("up", f"{point}/MeterReading"), ("related", type_)]
    yield feed.entry(reading, links, f'<MeterReading xmlns="{_ESPI}"/>')
    yield feed.entry(type_, [], _reading_type(series))
    for number, (_, day) in enumerate(groupby(readings, lambda each: (each.start or each.end).date()), start=1):
        yield feed.entry(f"{reading}/IntervalBlock/{number}", [("up", f"{reading}/IntervalBlock")], _block(list(day)))


def flow_of(register_code: str) -> str:
    """Return the direction in which a register counts.

    :raises Unreadable: Green Button has none for it.
    """
    if register_code not in _FLOW:
        raise Unreadable(f"Green Button has no flow for the register {register_code!r}.", code="unknown_register")
    return _FLOW[register_code]


def _series_of(reading: FileReading) -> _Series:
    flow_of(reading.register_code)
    if reading.unit not in _UOM:
        raise Unreadable(f"Green Button has no unit for {reading.unit!r}.", code="wrong_unit")
    seconds = None if reading.length is None else int(reading.length.total_seconds())
    return _Series(reading.serial, reading.register_code, reading.unit, seconds)


class _Feed:
    """Writes the entries of a feed."""

    def __init__(self, updated: str) -> None:
        self._updated = updated

    def entry(self, href: str, links: Iterable[tuple[str, str]], content: str, *, title: str = "") -> bytes:
        """Return an entry; its content is ESPI."""
        lines = [
            "<entry>",
            f"<id>{_urn(href)}</id>",
            *(f'<link rel="{rel}" href={quoteattr(target)}/>' for rel, target in [("self", href), *links]),
            f"<title>{escape(title)}</title>",
            f"<content>{content}</content>",
            f"<published>{self._updated}</published>",
            f"<updated>{self._updated}</updated>",
            "</entry>\n",
        ]
        return "\n".join(lines).encode()


def _reading_type(series: _Series) -> str:
    uom, base = _UOM[series.unit]
    fields = {
        "accumulationBehaviour": CUMULATIVE if series.length_seconds is None else DELTA,
        "commodity": _COMMODITY.get(series.register_code, _ELECTRICITY),
        "flowDirection": flow_of(series.register_code),
        "intervalLength": series.length_seconds,
        "kind": _VOLUME if series.unit == M3 else _ENERGY,
        "powerOfTenMultiplier": base,
        "uom": uom,
    }
    told = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items() if value is not None)
    return f'<ReadingType xmlns="{_ESPI}">{told}</ReadingType>'


def _block(readings: list[FileReading]) -> str:
    start = readings[0].start or readings[0].end
    period = _period(start, readings[-1].end)
    body = "".join(_reading(each) for each in readings)
    return f'<IntervalBlock xmlns="{_ESPI}"><interval>{period}</interval>{body}</IntervalBlock>'


def _reading(reading: FileReading) -> str:
    quality = f"<ReadingQuality><quality>{reading.quality}</quality></ReadingQuality>"
    return (
        f"\n<IntervalReading>{quality if reading.quality is not None else ''}"
        f"<timePeriod>{_period(reading.start or reading.end, reading.end)}</timePeriod>"
        f"<value>{_whole(reading.value)}</value></IntervalReading>"
    )


def _period(start: datetime, end: datetime) -> str:
    return f"<duration>{int((end - start).total_seconds())}</duration><start>{int(start.timestamp())}</start>"


def _whole(value: Decimal) -> int:
    """Return a value in millionths of the portal's unit: mWh for kWh."""
    scaled = value.scaleb(_PORTAL_DECIMALS)
    if scaled != scaled.to_integral_value() or abs(scaled) > _GREATEST:
        raise ValueError(f"{value} does not fit a Green Button value.")
    return int(scaled)


def _urn(name: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, name)}"
