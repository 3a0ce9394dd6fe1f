"""What forecasts did, as sums over half-hours: sums of meters and days add up, ratios never do."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from meters.insights.clockwork import Floats

LOW_COVERAGE, HIGH_COVERAGE = 0.78, 0.82


@dataclass(frozen=True)
class Told:
    """What somebody said of half-hours: (n,) each; without a band there is none."""

    median: Floats
    mean: Floats
    low: Floats | None = None
    high: Floats | None = None

    @classmethod
    def plainly(cls, values: Floats) -> "Told":
        """Return what says one number a half-hour and no band."""
        return cls(values, values)


@dataclass(frozen=True)
class Tally:
    """Sums over half-hours whose truth is known, in the unit of the series but for counts and ``scaled_error``.

    :ivar absolute_error: of the median.
    :ivar banded: half-hours with a band; ``inside`` of these lay in it.
    :ivar measured: half-hours of series of which it is known how far off the day before is; ``measured_error`` is the
        median's on these, ``usual_error`` what the day before would be off, ``scaled_error`` the sum of the ratios.
    :ivar compared: half-hours of which the week before is known; ``compared_error`` is the median's on these,
        ``naive_error`` that of the week before.
    """

    half_hours: int = 0
    absolute_error: float = 0.0
    truth: float = 0.0
    truth_size: float = 0.0
    median: float = 0.0
    mean: float = 0.0
    banded: int = 0
    inside: int = 0
    measured: int = 0
    measured_error: float = 0.0
    usual_error: float = 0.0
    scaled_error: float = 0.0
    compared: int = 0
    compared_error: float = 0.0
    naive_error: float = 0.0

    @classmethod
    def of(cls, sums: Any) -> "Tally":
        """Return the sums that a row or a mapping holds under the same names; what is missing there is zero."""
        read = sums.get if isinstance(sums, Mapping) else lambda name: getattr(sums, name)
        found = {each.name: read(each.name) for each in fields(cls)}
        return cls(**{name: value for name, value in found.items() if value is not None})

    def __add__(self, other: "Tally") -> "Tally":
        return Tally.of({name: getattr(self, name) + getattr(other, name) for name in NAMES})

    def __neg__(self) -> "Tally":
        return Tally.of({name: -getattr(self, name) for name in NAMES})

    @property
    def values(self) -> tuple[float, ...]:
        """All sums, in the order of ``NAMES``."""
        return tuple(getattr(self, name) for name in NAMES)


NAMES = tuple(each.name for each in fields(Tally))


@dataclass(frozen=True)
class Figures:
    """What sums say, None where there is nothing to measure by.

    :ivar nmae: error of the medians, as a share of the mean size of the truth.
    :ivar mase: mean over half-hours of the error by the error of the day before of the same series, so that a small
        meter counts as a large one does (Hyndman and Koehler 2006).
    :ivar mase_pooled: all errors by all errors of the day before: large meters weigh most.
    :ivar bias: by how much the means are too high in all, as a share of the truth; ``bias_of_median`` the medians.
    :ivar coverage: share of truths inside the band.
    :ivar skill: by which share the error is smaller than that of the week before, on the same half-hours.
    """

    half_hours: int
    nmae: float | None
    mase: float | None
    mase_pooled: float | None
    bias: float | None
    bias_of_median: float | None
    coverage: float | None
    skill: float | None

    @property
    def is_covered(self) -> bool:
        """Tell whether as many truths lie inside the band as should."""
        return self.coverage is not None and LOW_COVERAGE <= self.coverage <= HIGH_COVERAGE


def tally(*, truth: Floats, told: Told, day_naive_mae: float | None, naive: Floats | None) -> Tally:
    """Add up what became of half-hours; those without a truth or a median are left out.

    :param truth: (n,), NaN where it is not known.
    :param day_naive_mae: the mean error of the day before in the series' past; None or 0: nothing to scale by.
    :param naive: (n,), what the week before says.
    """
    known = np.isfinite(truth) & np.isfinite(told.median)
    wanted, errors = truth[known], np.abs(told.median - truth)[known]
    n, error = int(known.sum()), float(errors.sum())
    scale = day_naive_mae or 0.0
    compared, compared_error, naive_error = _compared(wanted, errors, None if naive is None else naive[known])
    banded, inside = _banded(wanted, told, known)
    return Tally(
        half_hours=n,
        absolute_error=error,
        truth=float(wanted.sum()),
        truth_size=float(np.abs(wanted).sum()),
        median=float(told.median[known].sum()),
        mean=float(told.mean[known].sum()),
        banded=banded,
        inside=inside,
        measured=n if scale else 0,
        measured_error=error if scale else 0.0,
        usual_error=n * scale,
        scaled_error=error / scale if scale else 0.0,
        compared=compared,
        compared_error=compared_error,
        naive_error=naive_error,
    )


def figures_of(sums: Tally) -> Figures:
    """Return what sums say."""
    return Figures(
        half_hours=sums.half_hours,
        nmae=_share(sums.absolute_error, sums.truth_size),
        mase=_share(sums.scaled_error, sums.measured),
        mase_pooled=_share(sums.measured_error, sums.usual_error),
        bias=_beyond(sums.mean, sums.truth),
        bias_of_median=_beyond(sums.median, sums.truth),
        coverage=_share(sums.inside, sums.banded),
        skill=_less(sums.compared_error, sums.naive_error),
    )


def _banded(wanted: Floats, told: Told, known: Any) -> tuple[int, int]:
    if told.low is None or told.high is None:
        return 0, 0
    low, high = told.low[known], told.high[known]
    return int((np.isfinite(low) & np.isfinite(high)).sum()), int(((wanted >= low) & (wanted <= high)).sum())


def _compared(wanted: Floats, errors: Floats, naive: Floats | None) -> tuple[int, float, float]:
    if naive is None:
        return 0, 0.0, 0.0
    known = np.isfinite(naive)
    return int(known.sum()), float(errors[known].sum()), float(np.abs(naive - wanted)[known].sum())


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _beyond(told: float, truth: float) -> float | None:
    return told / truth - 1 if truth > 0 else None


def _less(error: float, naive: float) -> float | None:
    return 1 - error / naive if naive > 0 else None
