"""The state machine of alarms: thresholds with hysteresis, hold times and silence. No clock, no database.

A *watch* is what is remembered of one subject under one rule. It moves ``quiet → holding → raised → clearing → quiet``
and back from each waiting phase to the one before it: between the two thresholds nothing changes, so that a value
that trembles around either of them raises one alarm and clears it once. Devices send on change, so a value holds until
the next one: holds come true by the passing of time as well as by values.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

SEEN = "seen"


class Phase(StrEnum):
    """Where a subject stands under a rule."""

    QUIET = "quiet"
    HOLDING = "holding"
    RAISED = "raised"
    CLEARING = "clearing"


class Comparison(StrEnum):
    """On which side of its threshold a value is wrong, or whether it is wrong that none comes."""

    ABOVE = "above"
    BELOW = "below"
    SILENT = "silent"


class Deed(StrEnum):
    """What became of an alarm between two looks."""

    RAISE = "raise"
    CLEAR = "clear"


_ALARMED = frozenset({Phase.RAISED, Phase.CLEARING})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rule asks for.

    ``above``: wrong at ``set_at`` or more, right again at ``clear_at`` or less, which lies no higher; ``below``: the
    other way round; ``silent``: wrong once nothing was heard for ``no_data``. ``hold`` and ``clear_hold`` are how long
    it must be wrong, and right again, without a break.
    """

    comparison: Comparison
    set_at: float = math.nan
    clear_at: float = math.nan
    no_data: timedelta = timedelta.max
    hold: timedelta = timedelta(0)
    clear_hold: timedelta = timedelta(0)

    def is_wrong(self, value: float) -> bool:
        """Tell whether a value is at the threshold or beyond it."""
        return value >= self.set_at if self.comparison is Comparison.ABOVE else value <= self.set_at

    def is_right(self, value: float) -> bool:
        """Tell whether a value is back at the threshold that clears, or beyond it."""
        return value <= self.clear_at if self.comparison is Comparison.ABOVE else value >= self.clear_at


@dataclass(frozen=True, slots=True)
class Watch:
    """A subject's phase, since when, and the instant of the newest value that was looked at."""

    phase: Phase
    since: datetime
    seen_at: datetime


def look_at_value(limits: Limits, watch: Watch | None, *, value: float | None, at: datetime) -> Watch | None:
    """Return the watch after a value; None stays None while nothing is wrong.

    A missing value, and one that is not newer than the newest looked at, changes nothing: what is sent again, or
    late, neither raises nor clears.
    """
    if value is None or not math.isfinite(value) or (watch is not None and at <= watch.seen_at):
        return watch
    if watch is None:
        return let_time_pass(limits, Watch(Phase.HOLDING, at, at), now=at) if limits.is_wrong(value) else None
    held = replace(let_time_pass(limits, watch, now=at), seen_at=at)
    if held.phase in _ALARMED:
        moved = _towards_clear(held, right=limits.is_right(value), since=at)
    else:
        moved = _towards_raise(held, wrong=limits.is_wrong(value), since=at)
    return let_time_pass(limits, moved, now=at)


def look_at_silence(limits: Limits, watch: Watch | None, *, heard_at: datetime, now: datetime) -> Watch | None:
    """Return the watch of a silence rule once it is known when something was last heard; older news changes nothing."""
    if watch is not None and heard_at < watch.seen_at:
        return watch
    silent = now - heard_at >= limits.no_data
    if watch is None:
        if not silent:
            return None
        watch = Watch(Phase.QUIET, heard_at, heard_at)
    held = replace(watch, seen_at=heard_at)
    if held.phase in _ALARMED:
        moved = _towards_clear(held, right=not silent, since=heard_at)
    else:
        moved = _towards_raise(held, wrong=silent, since=heard_at + limits.no_data if silent else heard_at)
    return let_time_pass(limits, moved, now=now)


def let_time_pass(limits: Limits, watch: Watch, *, now: datetime) -> Watch:
    """Return the watch at a later instant at which nothing new is known: what held for long enough has come true."""
    if watch.phase is Phase.HOLDING and now >= watch.since + limits.hold:
        return replace(watch, phase=Phase.RAISED, since=watch.since + limits.hold)
    if watch.phase is Phase.CLEARING and now >= watch.since + limits.clear_hold:
        return replace(watch, phase=Phase.QUIET, since=watch.since + limits.clear_hold)
    return watch


def deed_between(before: Watch | None, after: Watch | None) -> Deed | None:
    """Return what became of the alarm from one look to the next; what came and went between them is nothing."""
    was, has = _is_alarmed(before), _is_alarmed(after)
    if was == has:
        return None
    return Deed.RAISE if has else Deed.CLEAR


def _is_alarmed(watch: Watch | None) -> bool:
    return watch is not None and watch.phase in _ALARMED


def _towards_raise(watch: Watch, *, wrong: bool, since: datetime) -> Watch:
    if wrong == (watch.phase is Phase.HOLDING):
        return watch
    return replace(watch, phase=Phase.HOLDING if wrong else Phase.QUIET, since=since)


def _towards_clear(watch: Watch, *, right: bool, since: datetime) -> Watch:
    if right == (watch.phase is Phase.CLEARING):
        return watch
    return replace(watch, phase=Phase.CLEARING if right else Phase.RAISED, since=since)


_WORDS = {
    "power_w": ("power", "W"),
    "temperature_c": ("temperature", "°C"),
    "voltage_v": ("voltage", "V"),
    "current_a": ("current", "A"),
    "energy_wh": ("energy", "Wh"),
    "soc_percent": ("state of charge", "%"),
    "soh_percent": ("state of health", "%"),
    "cell_spread_rest_v": ("spread of the cells' voltages at rest", "V"),
    "cell_spread_load_v": ("spread of the cells' voltages under load", "V"),
    "cell_temp_spread_c": ("spread of the cells' temperatures", "°C"),
    "pack_against_cells_percent": ("difference between the pack's voltage and the sum of its cells", "%"),
    "soc_mismatch_percent": ("difference between the state of charge and the charge counted", "%"),
    "soc_excess_percent": ("distance of the state of charge beyond its window", "%"),
    "cell_voltage_excess_v": ("distance of a cell's voltage beyond its limits", "V"),
    "pack_voltage_excess_v": ("distance of the pack's voltage beyond its limits", "V"),
    "cell_temp_excess_c": ("distance of a cell's temperature beyond its limits", "°C"),
    "igbt_temp_excess_c": ("distance of the IGBT's temperature beyond its limit", "°C"),
    "current_of_limit_percent": ("share of the current limit in use", "%"),
    "dc_voltage_gap_percent": ("difference between the DC voltages that BMS and PCS tell", "%"),
    "dc_current_gap_percent": ("difference between the DC currents that BMS and PCS tell", "%"),
    "derating_igbt_temp_percent": ("power held back by the IGBT's temperature", "%"),
    "derating_cell_temp_percent": ("power held back by the cells' temperature", "%"),
    "derating_cell_voltage_percent": ("power held back by a cell's voltage", "%"),
    "stuck_pack_voltage_minutes": ("time for which the pack's voltage has stood still", "min"),
    "stuck_cell_voltage_minutes": ("time for which a voltage of cells has stood still", "min"),
    "stuck_dc_voltage_minutes": ("time for which the PCS's DC voltage has stood still", "min"),
    "stuck_current_minutes": ("time for which the pack's current has stood still", "min"),
    "stuck_dc_current_minutes": ("time for which the PCS's DC current has stood still", "min"),
    "stuck_igbt_temp_minutes": ("time for which the IGBT's temperature has stood still", "min"),
}
_SPANS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


def in_plain_words(limits: Limits, *, label: str, quantity: str, value: float | None) -> str:
    """Say in a sentence what is wrong with a subject."""
    if limits.comparison is Comparison.SILENT:
        return f"{label} has not been heard from for {span_in_words(limits.no_data)}."
    name, unit = _WORDS.get(quantity, (quantity.replace("_", " "), ""))
    side = "more" if limits.comparison is Comparison.ABOVE else "less"
    limit = f"{limits.set_at:,.10g} {unit}".strip()
    if value is None:
        return f"The {name} of {label} has reached {limit} or {side}."
    return f"The {name} of {label} is {f'{value:,.10g} {unit}'.strip()}; {limit} or {side} is too {_far(limits)}."


def span_in_words(span: timedelta) -> str:
    """Write how long something lasted in the largest unit that fits it wholly, as ``90 minutes``."""
    for name, unit in _SPANS:
        if span >= unit and not span % unit:
            return f"{span // unit} {name}s" if span != unit else f"a{'n' if name == 'hour' else ''} {name}"
    return f"{span.total_seconds():g} seconds"


def _far(limits: Limits) -> str:
    return "high" if limits.comparison is Comparison.ABOVE else "low"


class News(StrEnum):
    """What there is to tell of an alarm."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    CLEARED = "cleared"


class Channel(StrEnum):
    """By which way it is told."""

    EMAIL = "email"
    WEBSOCKET = "websocket"
    MQTT = "mqtt"


def channels_of(news: News, *, severity: str, of_account: bool, snoozed: bool) -> Iterable[Channel]:
    """Yield by which ways news is told.

    Pages always hear of it. A snoozed alarm is told nowhere else. Mail goes out for what is critical, and to an
    account's people for all that is more than information; that somebody acknowledged is not worth one.
    """
    yield Channel.WEBSOCKET
    if snoozed:
        return
    yield Channel.MQTT
    if news is not News.ACKNOWLEDGED and (severity == "critical" or (of_account and severity != "info")):
        yield Channel.EMAIL


ALL_GROUP, FLEET_GROUP = "alarms.all", "alarms.fleet"
FLEET_KINDS = frozenset({"device", "battery"})


def account_group(account_id: object) -> str:
    """Return the name of the group of those who watch the alarms of an account."""
    return f"alarms.account.{account_id}"


def groups_of(subject_kind: str, account_id: object | None) -> Iterable[str]:
    """Yield the groups whose pages show alarms of a subject."""
    yield ALL_GROUP
    if subject_kind in FLEET_KINDS:
        yield FLEET_GROUP
    if account_id is not None:
        yield account_group(account_id)
