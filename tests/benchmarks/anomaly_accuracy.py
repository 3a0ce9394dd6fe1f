"""How well injected anomalies are told from what is usual: area under the ROC curve, by detector and kind of anomaly.

The series are those of ``PORTAL_DATA`` (default ``../shared/data``), taken for clean although they are not; the
anomalies are those of ``tests.benchmarks.injecting``. Each half-hour is scored by what came before it alone, its
label is whether it lies in an anomaly. On the series as they are, alerts a week are counted.

    python -m tests.benchmarks.anomaly_accuracy [--seeds 1 2 3]
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from meters.formats.series_file import PERIOD_END, PERIOD_START, read_series_file
from meters.insights.clockwork import Bools, Floats, Grid, grid_of
from meters.insights.screening import Screened, screen
from tests.benchmarks.harness import report
from tests.benchmarks.injecting import RATES, Injected, inject

_ROOT = Path(__file__).resolve().parent.parent.parent
_DEMAND_FILE, _HOMES_FILE = "singapore_demand_mw.csv.gz", "households_kwh.csv.gz"
_WEEK = 336
_SPARE = 8 * _WEEK
_REACH = {"demand": 0.97, "homes": 0.80}


def main() -> None:
    """Print a table a series, and whether each reaches what it must."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    seeds: list[int] = parser.parse_args().seeds
    folder = Path(os.environ.get("PORTAL_DATA", str(_ROOT.parent / "shared" / "data")))
    if not all((folder / file).exists() for file in (_DEMAND_FILE, _HOMES_FILE)):
        print(json.dumps({"bench": "anomaly_accuracy", "skipped": f"PORTAL_DATA: {folder} does not hold the series"}))
        return
    began, scored = time.perf_counter(), 0
    found = {}
    for name, grids in {"demand": _demand(folder), "homes": _homes(folder)}.items():
        rows = [_screened(grid, seed) for grid in grids for seed in seeds]
        scored += sum(int(np.isfinite(screened.score).sum()) for _, screened in rows)
        found[name] = _tell(name, rows)
        found[f"{name}_alerts_a_week"] = _alerts(name, grids)
    report(
        "anomaly_accuracy",
        round(found["homes"], 4),
        "roc auc of homes",
        ratio=round(found["homes"] / _REACH["homes"], 3),
        against="what homes must reach",
        n=scored,
        demand_roc_auc=round(found["demand"], 4),
        demand_must_reach=_REACH["demand"],
        homes_alerts_a_week=found["homes_alerts_a_week"],
        demand_alerts_a_week=found["demand_alerts_a_week"],
        half_hours_a_second=round(scored / (time.perf_counter() - began)),
    )


def _demand(folder: Path) -> list[Grid]:
    zone = ZoneInfo("Asia/Singapore")
    column = "system_demand_actual"
    path = folder / _DEMAND_FILE
    tables = read_series_file(path, time="date+period_ending_time", values=[column], zone=zone, labels=PERIOD_END)
    return [grid_of(table.starts, table.columns[column], zone) for table in tables]


def _homes(folder: Path) -> list[Grid]:
    zone = ZoneInfo("Australia/Sydney")
    column = "general_supply_kwh"
    tables = read_series_file(
        folder / _HOMES_FILE,
        time="ts",
        values=[column],
        zone=zone,
        labels=PERIOD_START,
        name_column="customer_id",
    )
    return [grid_of(table.starts, table.columns[column], zone) for table in tables]


def _screened(grid: Grid, seed: int) -> tuple[Injected, Screened]:
    injected = inject(grid.values, seed=seed, spare=_SPARE)
    return injected, screen(Grid(grid.first, injected.values), seed=seed)


def _tell(name: str, rows: Sequence[tuple[Injected, Screened]]) -> float:
    share = np.mean([injected.anomalous[_SPARE:].mean() for injected, _ in rows])
    print(f"\n{name}: {len(rows)} series, {share:.1%} of their half-hours anomalous")
    print(f"{'detector':10} {'all':>8} {'series':>18} " + " ".join(f"{kind:>12}" for kind in RATES))
    for detector in ["joined", *rows[0][1].parts]:
        whole = [_area(injected.anomalous, _said(screened, detector), injected) for injected, screened in rows]
        kinds = [
            np.mean([_area(injected.kinds[kind], _said(screened, detector), injected) for injected, screened in rows])
            for kind in RATES
        ]
        spread = f"{min(whole):.3f} to {max(whole):.3f}"
        print(f"{detector:10} {np.mean(whole):8.3f} {spread:>18} " + " ".join(f"{kind:12.3f}" for kind in kinds))
        if detector == "joined":
            joined = float(np.mean(whole))
    alerted = [np.mean([_alerted(injected.kinds[kind], screened) for injected, screened in rows]) for kind in RATES]
    print(f"{'alerted':10} {'':8} {'':18} " + " ".join(f"{share:12.0%}" for share in alerted))
    reached = "reached" if joined >= _REACH[name] else "NOT reached"
    print(f"ROC AUC {joined:.3f}, {_REACH[name]:.2f} asked for: {reached}.")
    return joined


def _said(screened: Screened, detector: str) -> Floats:
    return screened.score if detector == "joined" else screened.parts[detector]


def _area(wanted: Bools, said: Floats, injected: Injected) -> float:
    """Return the area under the curve of some anomalies against what is clean; what is not known says nothing."""
    from sklearn.metrics import roc_auc_score

    asked = (wanted | ~injected.anomalous) & np.isfinite(injected.values)
    asked[:_SPARE] = False
    return float(roc_auc_score(wanted[asked], np.nan_to_num(said[asked])))


def _alerted(wanted: Bools, screened: Screened) -> float:
    """Return the share of anomalies that an episode touches."""
    starts = np.flatnonzero(np.diff(wanted.astype(np.int8), prepend=0) == 1)
    ends = np.flatnonzero(np.diff(wanted.astype(np.int8), append=0) == -1) + 1
    begun = np.array([each.start - screened.first for each in screened.episodes])
    over = np.array([each.end - screened.first for each in screened.episodes])
    touched = [bool(((begun < end) & (over > start)).any()) for start, end in zip(starts, ends, strict=True)]
    return float(np.mean(touched))


def _alerts(name: str, grids: Sequence[Grid]) -> float:
    found = [screen(grid, seed=1) for grid in grids]
    alerts = [len(each.episodes) / (np.isfinite(each.score).sum() / _WEEK) for each in found]
    print(f"As they are: {', '.join(f'{each:.2f}' for each in alerts)} alerts a week.")
    return round(float(max(alerts)), 3)


if __name__ == "__main__":
    main()
