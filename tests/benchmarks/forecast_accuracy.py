"""How well forecasts do on real series of other people: the last 56 days of each, as `manage.py backtest` tries them.

    PORTAL_DATA=../shared/data python -m tests.benchmarks.forecast_accuracy

The last line tells whether every figure lies where it should; without the data there is nothing to tell.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
_FILES = {
    "singapore": (
        "singapore_demand_mw.csv.gz",
        *("--time", "date+period_ending_time", "--value", "system_demand_actual"),
        *("--zone", "Asia/Singapore", "--labels", "period-end"),
    ),
    "homes": (
        "households_kwh.csv.gz",
        *("--time", "ts", "--value", "general_supply_kwh", "--id", "customer_id", "--zone", "Australia/Sydney"),
    ),
    "victoria": (
        "victoria_demand_mw.csv.gz",
        *("--time", "Time", "--value", "Demand", "--zone", "Australia/Melbourne", "--holiday", "Holiday"),
        *("--temperature", "Temperature"),
    ),
}
_SHOWN = ("nmae", "mase", "bias", "absolute_bias", "median_bias", "coverage")
# What is promised: (file, hours ahead, figure, from, to).
_REACH = (
    ("singapore", "0-24h", "nmae", 0.0, 0.015),
    ("singapore", "24-48h", "nmae", 0.0, 0.0185),
    *(("homes", part, "mase", 0.0, 0.60) for part in ("0-24h", "24-48h")),
    *(("homes", part, "absolute_bias", 0.0, 0.05) for part in ("0-24h", "24-48h")),
    *(("homes", part, "coverage", 0.78, 0.82) for part in ("0-24h", "24-48h")),
)


def main() -> int:
    """Print what was reached; return how many figures lie elsewhere."""
    data = Path(os.environ.get("PORTAL_DATA", str(_ROOT.parent / "shared" / "data")))
    if not data.is_dir():
        print(json.dumps({"bench": "forecast_accuracy", "skipped": f"PORTAL_DATA: there is no folder {data}"}))
        return 0
    found = {}
    for name, (file, *options) in _FILES.items():
        if not (data / file).exists():
            print(f"{name}: there is no {data / file}", file=sys.stderr)
            continue
        found[name] = _overall(data / file, options)
        _show(name, found[name])
    missed = [
        f"{name} {part} {figure} {found[name]['blend'][part][figure]:.4f}"
        for name, part, figure, low, high in _REACH
        if name in found and not low <= found[name]["blend"][part][figure] <= high
    ]
    figures = {name: told["blend"] for name, told in found.items()}
    print(json.dumps({"bench": "forecast_accuracy", "missed": missed, "figures": figures}))
    return len(missed)


def _overall(path: Path, options: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    run = subprocess.run(
        [sys.executable, str(_ROOT / "manage.py"), "backtest", str(path), *options, "--days", "56", "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    overall: dict[str, dict[str, dict[str, float]]] = json.loads(run.stdout)["overall"]
    return overall


def _show(name: str, overall: dict[str, dict[str, dict[str, float]]]) -> None:
    for model, parts in overall.items():
        for part, told in parts.items():
            figures = "  ".join(f"{key} {told[key]:.4f}" for key in _SHOWN if told[key] is not None)
            print(f"{name:10} {model:14} {part:7} {figures}")


if __name__ == "__main__":
    sys.exit(main())
