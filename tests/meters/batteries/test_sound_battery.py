"""A sound battery, simulated, breaks no rule, and its quarters come to what truly flowed."""

from importlib import import_module

import numpy as np
import pytest

from meters.batteries.checks import WINDOW_US, Nameplate, Rows, ponder
from meters.batteries.dossiers import Quarters, round_trip
from meters.batteries.quantities import SIGNALS, System
from meters.batteries.rollup import BMS_COLUMNS, FIELDS, PCS_COLUMNS, QUARTER_US, Told, Windows, quarters
from meters.batteries.simulation import Design, SimulatedBattery
from meters.batteries.simulation import Told as Simulated

RULES = import_module("meters.batteries.migrations.0005_alarm_rules").RULES
STEP_SECONDS = 15.0
START = 1_740_000_600 // 900 * 900
DAY_US = 96 * QUARTER_US
PLATE = Nameplate(260, Design().capacity_ah, 100.0, 280.0, (0.0, 100.0), (2.8, 3.6), (5.0, 45.0), 85.0)


@pytest.fixture(scope="module")
def day() -> Simulated:
    return SimulatedBattery(Design(), start=START).run(steps=round(86_400 / STEP_SECONDS), seconds=STEP_SECONDS)


def columns(day: Simulated, system: System) -> dict[str, np.ndarray]:
    return {signal.column: np.asarray(day.values[system][signal.name], np.float64) for signal in SIGNALS[system]}


def micros(day: Simulated) -> np.ndarray:
    return np.round((day.times - START) * 1e6).astype(np.int64)


def test_a_sound_battery_breaks_no_rule(day: Simulated) -> None:
    times, told = micros(day), {system: columns(day, system) for system in System}
    worst: dict[str, float] = {}
    for now in range(WINDOW_US, DAY_US, 600_000_000):
        low, high = np.searchsorted(times, (now - WINDOW_US, now))
        rows = {system: {name: values[low:high] for name, values in told[system].items()} for system in System}
        bms, pcs = (Rows(times[low:high], rows[system]) for system in System)
        for quantity, value, _ in ponder(bms, pcs, PLATE):
            worst[quantity] = max(worst.get(quantity, -np.inf), -np.inf if value is None else value)

    limits = {quantity: set_at for _, quantity, set_at, *_ in RULES}
    assert {quantity: value for quantity, value in worst.items() if value >= limits[quantity]} == {}
    assert worst.keys() == limits.keys()


def test_its_quarters_come_to_what_truly_flowed(day: Simulated) -> None:
    bms, pcs = columns(day, System.BMS), columns(day, System.PCS)
    rolled = [
        quarter
        for _, quarter in quarters(
            Told(micros(day), {name: bms[name] for name in BMS_COLUMNS}),
            Told(micros(day), {name: pcs[name] for name in PCS_COLUMNS}),
            Windows((0.0, 100.0), (2.8, 3.6), (5.0, 45.0)),
            start=0,
            end=DAY_US,
        )
    ]
    hours = STEP_SECONDS / 3600
    true_kw = day.truth["dc_kw"]
    told = Quarters(
        np.arange(96) * QUARTER_US, {name: np.array([getattr(each, name) for each in rolled]) for name in FIELDS}
    )

    assert told.total("discharged_kwh") == pytest.approx(true_kw[true_kw > 0].sum() * hours, rel=0.01)
    assert told.total("charged_kwh") == pytest.approx(-true_kw[true_kw < 0].sum() * hours, rel=0.01)
    for side in ("", "ac_"):
        found = round_trip(told, side=side, rated_energy_kwh=232.0)
        assert found.reason or 80 < (found.percent or 0) < 100
