"""A dossier in words and written numbers: the same on the page and on paper."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from meters.batteries.dossiers import Efficiency
from meters.batteries.rollup import QUARTER_US
from meters.batteries.selectors.dossiers import BatteryDossier, instant_of

UNKNOWN = "not known"
_DECIMALS = {"%": 1, "V": 3, "°C": 1}
_CAUSES = {
    "derating_igbt_temp": "Temperature of the IGBT",
    "derating_cell_temp": "Temperature of the cells",
    "derating_cell_voltage": "Voltage of a cell",
}


@dataclass(frozen=True)
class Fact:
    """A line of a dossier: what it is, what it comes to, and what should be known of that."""

    name: str
    value: str
    note: str = ""
    is_known: bool = True


@dataclass(frozen=True)
class Section:
    """Lines that belong together."""

    key: str
    title: str
    facts: tuple[Fact, ...]


def sections_of(told: BatteryDossier) -> list[Section]:
    """Write a dossier down."""
    return [
        Section("throughput", "Throughput", tuple(_throughput(told))),
        Section("efficiency", "Round-trip efficiency", tuple(_efficiencies(told))),
        Section("outside", "Time outside of its windows", tuple(_outside(told))),
        Section("derating", "Power held back, as seen live", tuple(_derating(told))),
        Section("extremes", "How far it went", tuple(_extremes(told))),
        Section("known", "What is known", tuple(_known(told))),
        Section("alarms", "Alarms", tuple(_alarms(told))),
    ]


def period_in_words(told: BatteryDossier) -> str:
    """Write the period, both days included."""
    if told.first == told.last:
        return _day(told.first)
    return f"{_day(told.first)} to {_day(told.last)}"


def span_in_words(seconds: float) -> str:
    """Write how long something lasted, in the two largest units that say something."""
    whole = timedelta(seconds=round(seconds))
    hours, minutes = divmod(whole.seconds // 60, 60)
    if whole.days:
        return f"{whole.days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{whole.seconds} s"


def _throughput(told: BatteryDossier) -> Iterator[Fact]:
    flows, plate = told.dossier.throughput, told.battery
    yield _fact("Charged", flows.charged_kwh, "kWh", 1, _amperes(flows.charged_ah))
    yield _fact("Discharged", flows.discharged_kwh, "kWh", 1, _amperes(flows.discharged_ah))
    yield _fact("Charged, AC side", flows.ac_charged_kwh, "kWh", 1, "of the apparent power")
    yield _fact("Discharged, AC side", flows.ac_discharged_kwh, "kWh", 1, "of the apparent power")
    basis = {
        "capacity": f"half of all Ah by {plate.capacity_ah:,.10g} Ah" if plate.capacity_ah else "",
        "rated energy": f"half of all kWh by {plate.rated_energy_kwh:,.10g} kWh" if plate.rated_energy_kwh else "",
    }
    note = basis.get(flows.cycles_by, "neither the charge nor the battery's capacity is known")
    yield _fact("Equivalent full cycles", flows.cycles, "", 2, note)


def _efficiencies(told: BatteryDossier) -> Iterator[Fact]:
    for name, found in (("DC side", told.dossier.dc), ("AC side", told.dossier.ac)):
        yield _efficiency(name, found, told.zone)


def _efficiency(name: str, found: Efficiency, zone: str) -> Fact:
    if found.percent is None or found.start is None or found.end is None:
        return Fact(name, "not enough data", found.reason, is_known=False)
    note = f"{_moment(found.start, zone)} to {_moment(found.end, zone)}"
    how = "corrected by what stayed in" if found.is_corrected else "back to the same state of charge"
    return Fact(name, f"{found.percent:.1f} %", f"{note}, {how}")


def _outside(told: BatteryDossier) -> Iterator[Fact]:
    outside, plate = told.dossier.outside, told.battery
    for name, seconds, low, high, unit in (
        ("State of charge", outside.soc_seconds, plate.soc_low_percent, plate.soc_high_percent, "%"),
        ("Cells' voltages", outside.voltage_seconds, plate.cell_voltage_low_v, plate.cell_voltage_high_v, "V"),
        ("Cells' temperatures", outside.temp_seconds, plate.cell_temp_low_c, plate.cell_temp_high_c, "°C"),
    ):
        window = f"window {low:.10g} to {high:.10g} {unit}"
        if seconds is None:
            yield Fact(name, UNKNOWN, window, is_known=False)
        else:
            yield Fact(name, span_in_words(seconds) if seconds else "none", window)


def _derating(told: BatteryDossier) -> Iterator[Fact]:
    for each in told.derating:
        times = f"{each.count} time{'s' if each.count != 1 else ''}"
        yield Fact(_CAUSES.get(each.kind, each.title), span_in_words(each.lasted.total_seconds()), times)
    if not told.derating:
        yield Fact("None was seen", "", "derating is told by live readings only")


def _extremes(told: BatteryDossier) -> Iterator[Fact]:
    for each in told.dossier.extremes:
        value = f"{each.value:.{_DECIMALS[each.unit]}f} {each.unit}"
        yield Fact(each.title, value, _quarter(each.at, told.zone))


def _known(told: BatteryDossier) -> Iterator[Fact]:
    coverage, made = told.dossier.coverage, told.dossier
    yield Fact("Of the period", f"{coverage.share * 100:.1f} %", f"{span_in_words(coverage.known_seconds)} of power")
    if coverage.gap_start is None:
        yield Fact("Longest gap", "none", "of a whole quarter of an hour")
    else:
        since = f"from {_moment(coverage.gap_start, told.zone)}"
        yield Fact("Longest gap", span_in_words(coverage.longest_gap_seconds), since)
    if made.soh_first_percent is None or made.soh_last_percent is None:
        yield Fact("State of health", UNKNOWN, "", is_known=False)
    else:
        change = made.soh_last_percent - made.soh_first_percent
        note = f"{made.soh_first_percent:.1f} % at first" if abs(change) >= 0.05 else "as at first"
        yield Fact("State of health", f"{made.soh_last_percent:.1f} %", note)


def _alarms(told: BatteryDossier) -> Iterator[Fact]:
    for each in told.alarms:
        still = f", {each.open} still open" if each.open else ""
        lasted = span_in_words(each.lasted.total_seconds())
        yield Fact(each.title, str(each.count), f"{lasted} all together{still}")
    if not told.alarms:
        yield Fact("None", "", "of this battery in this period")


def _amperes(charge_ah: float | None) -> str:
    return "" if charge_ah is None else f"{charge_ah:,.1f} Ah"


def _fact(name: str, value: float | None, unit: str, decimals: int, note: str) -> Fact:
    if value is None:
        return Fact(name, UNKNOWN, note if not unit else "", is_known=False)
    return Fact(name, f"{value:,.{decimals}f} {unit}".strip(), note)


def _local(micros: int, zone: str) -> datetime:
    return instant_of(micros).astimezone(ZoneInfo(zone))


def _moment(micros: int, zone: str) -> str:
    local = _local(micros, zone)
    return f"{_day(local.date())} {local:%H:%M}"


def _quarter(micros: int, zone: str) -> str:
    return f"{_moment(micros, zone)} to {_local(micros + QUARTER_US, zone):%H:%M}"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
