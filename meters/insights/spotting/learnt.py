"""The two detectors that are taught over many meters: an isolation forest and a small autoencoder."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid
from meters.insights.spotting.measures import measures_of
from meters.insights.spotting.tails import Tails, tails_of
from meters.insights.spotting.usual import Usual, usual_of
from meters.insights.spotting.weeks import CELLS, WEEKS, past_of
from meters.insights.threads import one_thread

_TREES = 80
_ROWS = 20_000
_A_METER = 2_000
_INNER = (24, 6, 24)
_FARTHEST = 4.0
# The encoder looks at the last day, two half-hours at a time.
_COURSE = SLOTS_A_DAY
_STEP = 2


@dataclass(frozen=True, eq=False)
class Forest:
    """An isolation forest over how rare each measure is."""

    model: Any
    tails: Tails

    def rarity(self, rare: dict[str, Floats]) -> Floats:
        """Return how rare half-hours are, (n,), of what is rare about them."""
        rows, known = forest_rows(rare)
        return _rarity(known, lambda: -self.model.score_samples(rows[known]), self.tails)


@dataclass(frozen=True, eq=False)
class Encoder:
    """An autoencoder of the course of a day: what it cannot draw from six numbers is unusual."""

    model: Any
    tails: Tails

    def rarity(self, rows: Floats, known: Any) -> Floats:
        """Return how rare courses are, (n,), as ``encoder_rows`` tells them."""
        return _rarity(known, lambda: _errors(self.model, rows[known]), self.tails)


@dataclass(frozen=True, eq=False)
class Taught:
    """The learnt detectors; nothing where too little was known to learn them."""

    forest: Forest | None
    encoder: Encoder | None

    def pack(self) -> bytes:
        """Return the detectors as bytes."""
        import joblib

        file = io.BytesIO()
        joblib.dump((self.forest, self.encoder), file, compress=3)
        return file.getvalue()

    @classmethod
    def unpack(cls, packed: bytes) -> "Taught":
        """Return the detectors of bytes that this portal packed."""
        import joblib

        return cls(*joblib.load(io.BytesIO(packed)))


def teach(grids: Sequence[Grid], *, until: int, seed: int) -> Taught:
    """Learn the forest and the encoder over many meters.

    :param until: a slot; nothing at or after it is looked at.
    """
    rng = np.random.default_rng(seed)
    rare, courses = [], []
    for grid in grids:
        usual = usual_of(grid, until=until)
        if usual is None:
            continue
        rows, days = _rows_of(grid, usual)
        rare.append(_some(rows, rng))
        courses.append(_some(days, rng))
    if not rare:
        return Taught(None, None)
    return Taught(_forest(np.concatenate(rare)[:_ROWS], seed), _encoder(np.concatenate(courses)[:_ROWS], seed))


def forest_rows(rare: dict[str, Floats]) -> tuple[Floats, Any]:
    """Return rows for the forest, (n, measures), and which are known."""
    stacked = np.stack([rare[name] for name in sorted(rare)], axis=1)
    return np.where(np.isfinite(stacked), stacked, 0.0), np.isfinite(stacked).mean(axis=1) >= 0.5


def encoder_rows(values: Floats, usual: Floats, scale: float) -> tuple[Floats, Any]:
    """Return rows for the encoder, (n, 24), and which are known: the last day as it differs from the usual one."""
    off = np.clip((values - usual) / max(scale, 1e-9), -_FARTHEST, _FARTHEST)
    views = np.lib.stride_tricks.sliding_window_view(np.concatenate([np.full(_COURSE - 1, np.nan), off]), _COURSE)
    pairs = views.reshape(len(values), _COURSE // _STEP, _STEP)
    rows = np.where(np.isfinite(pairs), pairs, 0).mean(axis=2)
    return rows, np.isfinite(views).mean(axis=1) >= 0.8


def _rows_of(grid: Grid, usual: Usual) -> tuple[Floats, Floats]:
    slots = np.arange(usual.until - WEEKS * CELLS, usual.until, dtype=np.int64)
    values = past_of(grid, usual.until)
    laid, tails = usual.laid(slots), usual.tails()
    measured = measures_of(values, laid, quantum=usual.figures["quantum"])
    rows, known = forest_rows({name: tails[name].rarity(each) for name, each in measured.items()})
    days, whole = encoder_rows(values, laid.mean, usual.figures["scale"])
    return rows[known], days[whole]


def _some(rows: Floats, rng: np.random.Generator) -> Floats:
    return rows if len(rows) <= _A_METER else rows[np.sort(rng.choice(len(rows), _A_METER, replace=False))]


def _forest(rows: Floats, seed: int) -> Forest:
    from sklearn.ensemble import IsolationForest

    with one_thread():
        model = IsolationForest(n_estimators=_TREES, random_state=seed).fit(rows)
        return Forest(model, tails_of(-model.score_samples(rows)))


def _encoder(rows: Floats, seed: int) -> Encoder:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    with one_thread():
        model = MLPRegressor(
            hidden_layer_sizes=_INNER,
            activation="tanh",
            max_iter=60,
            tol=1e-3,
            n_iter_no_change=5,
            early_stopping=True,
            random_state=seed,
        )
        with warnings.catch_warnings():
            # A net that still learns a little at its last round is good enough to compare courses by.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows, rows)
        return Encoder(model, tails_of(_errors(model, rows)))


def _errors(model: Any, rows: Floats) -> Floats:
    found: Floats = np.abs(model.predict(rows) - rows).mean(axis=1)
    return found


def _rarity(known: Any, measure: Any, tails: Tails) -> Floats:
    found = np.full(len(known), np.nan)
    if known.any():
        found[known] = tails.rarity(measure())
    return found
