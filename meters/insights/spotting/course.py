"""How a series goes on from half-hour to half-hour, and what it would look like if something were wrong with it.

A hidden Markov model whose states are "usual" and some anomalies: all values times a factor, another time of day's
course, a repeated value, a jump. Filtered forward only (Hamilton 1989, switching autoregression), so that what it says
of a half-hour uses nothing after it. How likely a value is after the one before it is a mix of two densities of its
logarithm: an autoregression around the hour of the week with Student's t, good where a series is smooth, and a
table of how values followed each other at that time of day, good where it is not.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Ints
from meters.insights.spotting.weeks import (
    CELLS,
    FEWEST_KNOWN,
    WEEKS,
    cells_of,
    center_of,
    is_pooled,
    median,
    near,
    smooth,
)

FACTORS = (0.2, 0.4, 0.55, 0.7, 0.85, 1.18, 1.4, 1.75, 2.3, 3.5, 6.0)
# Parts of the mean level that come on top.
OFFSETS = (-0.3, 0.3, 0.8, 1.8)
_ROLLS = (12, 24, 36)
# States by their place: usual, the factors, other times of day, the day backwards, any course, a restless one, a
# repeated value, a jump.
ROLLED = 1 + len(FACTORS) + len(OFFSETS)
_BACKWARDS = ROLLED + len(_ROLLS)
_FREE, RESTLESS, STUCK, JUMP = range(_BACKWARDS + 1, _BACKWARDS + 5)
STATES = JUMP + 1
# For each family of states: how many, for how many half-hours one lasts, and after how many the next comes.
_FAMILIES = (
    (len(FACTORS) + len(OFFSETS), 72.0, 960.0),
    (len(_ROLLS) + 2, 30.0, 1200.0),
    (1, 20.0, 1500.0),
    (1, 20.0, 720.0),
    (1, 1.7, 240.0),
)
_LEAVE = np.array([0.0, *[1 / lasts for count, lasts, _ in _FAMILIES for _ in range(count)]])
_ENTER = np.array([0.0, *[1 / (every * count) for count, _, every in _FAMILIES for _ in range(count)]])
_RESTLESS_SPREAD = 4.0

_BINS = 32
_PARTS = 8
_NARROWEST = 0.03
_BEYOND = 1.0
_AS_ZERO = 0.05
_LEAST = 1e-4
_FREEDOM = 4
_STUDENT = 0.375
_MOST_RHO = 0.97
_STEADY = 0.003
_FLOOR = 0.02
_IMPOSSIBLE = 1e-3
_NEVER_SEEN = 1e-4
_ONCE = 0.3
_MAD = 1.4826
_TEST_WEEKS = 2
_HALF = 0.5
_REPEATS = 0.97
# A repeat is as likely in a density as if it fell into a bin of this width of the logarithm.
_REPEAT_WIDTH = 1 / 30
_TEMPER = 0.8
_LEAST_CHANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Course:
    """How a series goes on, in logarithms of its values.

    :ivar lowest: what values are measured from: 0, or the least of the past where that fed in.
    :ivar nothing: added to values before their logarithm, in their unit.
    :ivar edges: (b + 1,) of the bins.
    :ivar counts: (8, b, b) how often a bin followed another, by the part of the day.
    :ivar again: (b,) how often the very same value followed.
    :ivar center, inner: (336,) the middle, and the spread around what the half-hour before lets expect.
    :ivar step: how far a value usually lies from the one before it.
    :ivar smooth: how far the autoregression is trusted before the table, 0 to 1.
    """

    lowest: float
    nothing: float
    edges: Floats
    counts: Ints
    again: Ints
    center: Floats
    inner: Floats
    rho: float
    step: float
    smooth: float

    def to_json(self) -> dict[str, Any]:
        """Return the course as it is kept."""
        counts = np.minimum(self.counts, np.iinfo(np.uint16).max).astype("<u2").tobytes()
        return {
            "lowest": self.lowest,
            "nothing": self.nothing,
            "edges": _rounded(self.edges),
            "counts": base64.b64encode(zlib.compress(counts)).decode(),
            "again": self.again.tolist(),
            "center": _rounded(self.center),
            "inner": _rounded(self.inner),
            "rho": self.rho,
            "step": self.step,
            "smooth": self.smooth,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Course":
        """Return the course that was kept."""
        edges = np.array(told["edges"], dtype=np.float64)
        counts = np.frombuffer(zlib.decompress(base64.b64decode(told["counts"])), dtype="<u2").astype(np.int64)
        return cls(
            told["lowest"],
            told["nothing"],
            edges,
            counts.reshape(_PARTS, len(edges) - 1, len(edges) - 1),
            np.array(told["again"], dtype=np.int64),
            np.array(told["center"], dtype=np.float64),
            np.array(told["inner"], dtype=np.float64),
            told["rho"],
            told["step"],
            told["smooth"],
        )


def learn_course(past: Floats, slots: Ints) -> Course:
    """Learn how a series goes on.

    :param past: (2688,) eight weeks, NaN where not known.
    """
    lowest = min(0.0, float(np.nanmin(past)))
    over = past - lowest
    nothing = max(_AS_ZERO * float(np.nanmean(over)), _LEAST)
    logs = np.log(over + nothing)
    early = np.where(np.arange(len(past)) < (WEEKS - _TEST_WEEKS) * CELLS, logs, np.nan)
    trust = _HALF
    if np.isfinite(early).sum() >= FEWEST_KNOWN:
        test = slice((WEEKS - _TEST_WEEKS) * CELLS, None)
        trust = _mixed(_fitted(early, past, slots, (lowest, nothing), trust), logs[test], slots[test])
    return _fitted(logs, past, slots, (lowest, nothing), trust)


def filtered(courses: Sequence[Course], values: Sequence[Floats], slots: Sequence[Ints]) -> list[Floats]:
    """Return what each state's chance is at each half-hour, (n, states), by it and those before it.

    :param values: (n,) consecutive half-hours, one series a course, NaN where missing.
    """
    likely = [_likelihoods(*each) for each in zip(courses, values, slots, strict=True)]
    longest = max(len(each) for each in values)
    begins = longest - np.array([[len(each)] for each in values])
    stacked = np.ones((longest, len(courses), 3, STATES))
    for place, each in enumerate(likely):
        stacked[longest - len(each) :, place] = each
    chances = np.array([1.0, *(_ENTER[1:] / _LEAVE[1:])])
    chance = np.tile(chances / chances.sum(), (len(courses), 1))
    found = np.empty((longest, len(courses), STATES))
    stay, enter = 1 - _LEAVE, _ENTER.copy()
    stay[0], enter[0] = 1 - _ENTER.sum(), 0.0
    for step in range(longest):
        staying, entering, leaving = stacked[step, :, 0], stacked[step, :, 1], stacked[step, :, 2]
        new = chance * stay * staying + chance[:, :1] * enter * entering
        new[:, 0] += (chance * _LEAVE * leaving).sum(axis=1)
        new = np.maximum(new / new.sum(axis=1, keepdims=True), _LEAST_CHANCE)
        chance = np.where(step >= begins, new, chance)
        found[step] = chance
    return [found[longest - len(each) :, place] for place, each in enumerate(values)]


def unlikeliness(chances: Floats) -> Floats:
    """Return minus the logarithm, base ten, of the chance that all is usual, (n,)."""
    found: Floats = -np.log10(chances[:, 0])
    return found


def _fitted(logs: Floats, past: Floats, slots: Ints, zero: tuple[float, float], trust: float) -> Course:
    weeks, cells = logs.reshape(WEEKS, CELLS), cells_of(slots[:CELLS])
    pooled = is_pooled(weeks, cells)
    known = np.isfinite(logs)
    without = [center_of(np.delete(weeks, week, axis=0), cells, pooled=pooled) for week in range(WEEKS)]
    off = (weeks - np.stack(without)).ravel()
    spread = np.maximum(_MAD * smooth(median(near(np.abs(off.reshape(weeks.shape))))), _STEADY)
    sized = np.clip(off / np.tile(spread, WEEKS), -4, 4)
    both = np.isfinite(sized[1:]) & np.isfinite(sized[:-1])
    now, before = sized[1:][both], sized[:-1][both]
    rho = float(np.clip((now * before).sum() / max((before**2).sum(), 1e-9), 0, _MOST_RHO))
    inner = np.append(np.nan, off[1:] - rho * off[:-1]).reshape(weeks.shape)
    scale = _MAD * smooth(median(near(np.abs(inner))))
    order = np.argsort(cells)
    edges = _edges(logs[known])
    bins, pairs = _bins(logs, edges), known[1:] & known[:-1]
    counts = np.zeros((_PARTS, len(edges) - 1, len(edges) - 1), dtype=np.int64)
    np.add.at(counts, (_part(slots)[1:][pairs], bins[:-1][pairs], bins[1:][pairs]), 1)
    same = pairs & (np.diff(past) == 0)
    again = np.bincount(bins[:-1][same], minlength=len(edges) - 1)
    center = center_of(weeks, cells, pooled=pooled)
    middle = float(np.nanmedian(logs))
    steps = np.abs(np.diff(logs)[pairs])
    return Course(
        *zero,
        edges,
        counts,
        again,
        np.where(np.isfinite(center), center, middle)[order],
        np.maximum(np.where(np.isfinite(scale), scale, np.nanmax(scale)), _STEADY)[order],
        rho,
        max(_MAD * float(np.median(steps)), _STEADY),
        trust,
    )


def _mixed(trial: Course, logs: Floats, slots: Ints) -> float:
    """Return how far the autoregression is trusted: the share under which the last weeks were likeliest."""
    now, before = slice(1, None), slice(None, -1)
    known = np.isfinite(logs[now]) & np.isfinite(logs[before]) & (np.diff(logs) != 0)
    if known.sum() < SLOTS_A_DAY:
        return trial.smooth
    cells = cells_of(slots)
    off = logs - trial.center[cells]
    told = _student(off[now] - trial.rho * off[before], trial.inner[cells[now]])[known]
    bins = _bins(logs, trial.edges)
    table = _tables(trial)[0][_part(slots)[now], bins[before], bins[now]][known]
    share = trial.smooth
    for _ in range(30):
        share = float((share * told / (share * told + (1 - share) * table)).mean())
    return share


def _likelihoods(course: Course, values: Floats, slots: Ints) -> Floats:
    """Return how likely each half-hour is, (n, 3, states): where a state stays, where it begins, where it ends."""
    seen = _Seen.of(course, values, slots)
    found = np.ones((len(values), 3, STATES))
    usual, framed = slice(0, 1), slice(0, _FREE)
    found[1:, 0, framed] = seen.after(framed, framed)
    found[1:, 1, framed] = seen.after(usual, framed)
    found[1:, 2, framed] = seen.after(framed, usual)
    found[:, 2, _FREE:] = seen.fresh[:, usual]
    wide = 1 / (course.edges[-1] - course.edges[0])
    found[:, :2, _FREE] = seen.free()[:, None]
    found[:, :2, RESTLESS] = seen.restless(wide)[:, None]
    found[:, :2, STUCK] = 0.01 * wide
    found[:, :2, JUMP] = (np.where(seen.off[:, 0] > 0, 1.5, 0.5) * wide)[:, None]
    return _with_gaps(course, found, values, seen)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Half-hours as each frame sees them, (n, frames): a frame divides values, or takes them for another hour's.

    :ivar logs: (n,) as they are.
    :ivar off: the logarithm over the middle of its hour.
    :ivar fresh: how likely it is where the one before is not known.
    """

    course: Course
    logs: Floats
    off: Floats
    inner: Floats
    bins: Ints
    parts: Ints
    stretch: Floats
    table: Floats
    fresh: Floats

    @classmethod
    def of(cls, course: Course, values: Floats, slots: Ints) -> "_Seen":
        """Return what each frame sees of half-hours."""
        factors = np.array([1.0, *FACTORS, *[1.0] * (_FREE - 1 - len(FACTORS))])
        offsets = np.zeros(_FREE)
        offsets[1 + len(FACTORS) : ROLLED] = np.array(OFFSETS) * course.nothing / _AS_ZERO
        rolled = slots[:, None] + np.array([*[0] * ROLLED, *_ROLLS, 0])
        rolled[:, _BACKWARDS] += SLOTS_A_DAY - 1 - 2 * (slots % SLOTS_A_DAY)
        size = np.maximum(values - course.lowest, 0)[:, None]
        left = np.maximum(size - offsets, 0)
        logs = np.log(left / factors + course.nothing)
        stretch = np.where(size > 0, (size + course.nothing) / (left + factors * course.nothing), 1.0)
        stretch[size < offsets] = _IMPOSSIBLE
        cells, parts = cells_of(rolled), _part(rolled)
        off, inner, bins = logs - course.center[cells], course.inner[cells], _bins(logs, course.edges)
        table, alone = _tables(course)
        told = _student(off, inner / np.sqrt(1 - course.rho**2))
        fresh = (course.smooth * told + (1 - course.smooth) * alone[parts, bins]) * stretch
        return cls(course, logs[:, 0], off, inner, bins, parts, stretch, table, fresh)

    def after(self, before: slice, to: slice) -> Floats:
        """Return how likely half-hours are in some frames after those before them in others, (n - 1, frames)."""
        told = _student(self.off[1:, to] - self.course.rho * self.off[:-1, before], self.inner[1:, to])
        seen = self.table[self.parts[1:, to], self.bins[:-1, before], self.bins[1:, to]]
        return (self.course.smooth * told + (1 - self.course.smooth) * seen) * self.stretch[1:, to]

    def free(self) -> Floats:
        """Return how likely half-hours are after those before them, whatever the time of day, (n,)."""
        told = _student(np.diff(self.logs, prepend=np.nan), self.course.step)
        anytime = self.table.mean(axis=0)[np.concatenate([self.bins[:1, 0], self.bins[:-1, 0]]), self.bins[:, 0]]
        share = self.course.smooth
        found: Floats = share * told + (1 - share) * anytime
        return found

    def restless(self, wide: float) -> Floats:
        """Return how likely half-hours are where they scatter more than usual, (n,)."""
        told = _student(self.off[:, 0], _RESTLESS_SPREAD * self.inner[:, 0])
        share = self.course.smooth
        found: Floats = share * told + (1 - share) * (self.fresh[:, 0] + wide) / 2
        return found


def _with_gaps(course: Course, found: Floats, values: Floats, seen: _Seen) -> Floats:
    """Return likelihoods with what repeats, what is not known and what follows on it put in."""
    known, bins = np.isfinite(values), seen.bins[:, 0]
    before = np.concatenate([[False], known[:-1]])
    again = (course.again + course.again.sum() / max(course.counts.sum(), 1)) / (course.counts.sum(axis=(0, 2)) + 1)
    repeats = np.clip(again[np.concatenate([bins[:1], bins[:-1]])], 1e-4, 0.99)
    same = before & (np.diff(values, prepend=np.nan) == 0)
    found[..., :STUCK] *= (1 - repeats)[:, None, None]
    found[same, ..., :STUCK] = (repeats[same] / _REPEAT_WIDTH)[:, None, None]
    found[same, :2, STUCK] = _REPEATS / _REPEAT_WIDTH
    found[same, :, JUMP] = (0.1 * repeats[same] / _REPEAT_WIDTH)[:, None]
    first = known & ~before
    found[first, :, :_FREE] = seen.fresh[first][:, None, :]
    found[first, :, _FREE:] = 0.5 * seen.fresh[first][:, None, :1]
    found[~known] = 1.0
    return np.maximum(found, 1e-9) ** _TEMPER


def _tables(course: Course) -> tuple[Floats, Floats]:
    """Return the densities of a value after another, (8, b, b), and alone, (8, b), by the part of the day."""
    counts = course.counts.astype(np.float64)
    counts = (np.roll(counts, 1, axis=0) + 2 * counts + np.roll(counts, -1, axis=0)) / 2
    blur = _blur(counts.shape[1])
    counts = blur @ counts @ blur.T
    overall = counts.sum(axis=(0, 1)) + _ONCE
    overall /= overall.sum()
    alone = _shares(counts.sum(axis=1) + 40 * overall)
    whole = _shares(counts.sum(axis=0) + 40 * overall)
    table = _shares(counts + 12 * (alone[:, None, :] + whole) / 2)
    width = np.diff(course.edges)
    floor = np.full(len(width), _FLOOR / len(width))
    floor[[0, -1]] = _NEVER_SEEN
    return ((1 - _FLOOR) * table + floor) / width, ((1 - _FLOOR) * alone + floor) / width


def _blur(bins: int) -> Floats:
    apart = np.arange(bins)[:, None] - np.arange(bins)
    weights = np.exp(-0.5 * (apart / 0.7) ** 2)
    # What was never seen is not made likely by what lies beside it.
    weights[:, [0, -1]] = weights[[0, -1]] = 0.0
    weights[0, 0] = weights[-1, -1] = 1.0
    return _shares(weights).T


def _shares(counts: Floats) -> Floats:
    found: Floats = counts / counts.sum(axis=-1, keepdims=True)
    return found


def _edges(logs: Floats) -> Floats:
    """Return edges of bins that hold about as many values each, none too narrow, with room beyond."""
    edges = [float(logs.min()) - 1e-6]
    for edge in np.quantile(logs, np.linspace(0, 1, _BINS + 1))[1:].tolist():
        if edge - edges[-1] > _NARROWEST:
            edges.append(edge)
    return np.round([edges[0] - _BEYOND, *edges, edges[-1] + _BEYOND], 4)


def _bins(logs: Floats, edges: Floats) -> Ints:
    found: Ints = np.clip(np.searchsorted(edges, logs, side="right") - 1, 0, len(edges) - 2)
    return found


def _part(slots: Ints) -> Ints:
    found: Ints = slots % SLOTS_A_DAY * _PARTS // SLOTS_A_DAY
    return found


def _student(off: Floats, scale: Floats | float) -> Floats:
    found: Floats = _STUDENT / scale * (1 + (off / scale) ** 2 / _FREEDOM) ** (-(_FREEDOM + 1) / 2)
    return found


def _rounded(values: Floats) -> list[float]:
    return [float(value) for value in np.round(values, 4)]
