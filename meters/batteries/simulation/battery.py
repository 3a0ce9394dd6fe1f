"""A battery of cells in series with its converter, step by step; what it would tell comes out as columns."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from meters.batteries.quantities import System
from meters.batteries.simulation.cell import CAPACITY_AH, Floats
from meters.batteries.simulation.converter import Converter
from meters.batteries.simulation.course import COLUMNS, Course
from meters.batteries.simulation.gauges import Gauges, Told
from meters.batteries.simulation.pack import Pack
from meters.batteries.simulation.surroundings import Surroundings

_BLOCK_SECONDS, _FEWEST_STEPS = 1_800.0, 60
_FADE_A_CYCLE = 0.2 / 6_000.0
_FADE_A_SECOND = 0.012 / (365.25 * 86_400.0)


@dataclass(frozen=True, slots=True)
class Design:
    """What a battery is built of and where it stands.

    :ivar strings: of cells, side by side.
    :ivar start_soc: from 0 to 1.
    :ivar ageing: how many times as fast as a real one it ages.
    """

    seed: int = 0
    cells: int = 260
    strings: int = 1
    rated_kw: float = 100.0
    grid_v: float = 400.0
    soh_percent: float = 97.4
    start_soc: float = 0.42
    utc_offset_hours: float = 8.0
    ambient_c: float = 27.5
    swing_c: float = 3.5
    ageing: float = 1.0

    @property
    def capacity_ah(self) -> float:
        """Return the charge that a new one holds, Ah."""
        return CAPACITY_AH * self.strings


class SimulatedBattery:
    """A battery that lives from a start on; the same design and the same calls tell the same.

    :ivar time: seconds since 1970 up to which it lived.
    :ivar surroundings: what is asked of it, and the weather about it.
    """

    def __init__(self, design: Design, *, start: float) -> None:
        """Build it, at rest.

        :param start: seconds since 1970.
        """
        self.design = design
        self.time = start
        self.pack = Pack(
            cells=design.cells,
            strings=design.strings,
            soc=design.start_soc,
            soh=design.soh_percent / 100.0,
            seed=design.seed,
        )
        self.surroundings = Surroundings(design.seed, design.utc_offset_hours, design.ambient_c, design.swing_c)
        random = np.random.default_rng((design.seed, int(start)))
        self._gauges = Gauges(design.capacity_ah, design.start_soc, random, self.pack.warmth_spread)
        outdoors = float(self.surroundings.outdoors_c(np.array([start]))[0])
        self._course = Course(
            Converter(design.rated_kw, design.grid_v),
            design.cells,
            design.strings,
            *self._as_one_and_weak(),
            cells_c=outdoors + 1.0,
            igbt_c=outdoors + 3.0,
        )

    def run(self, *, steps: int, seconds: float) -> Told:
        """Live on, and return what was told at each step's end.

        :param seconds: of a step.
        """
        return Told.joined(list(self.blocks(steps=steps, seconds=seconds)))

    def blocks(self, *, steps: int, seconds: float) -> Iterator[Told]:
        """Live on, and tell it by blocks of half an hour or 60 steps, so that memory stays small.

        :param seconds: of a step.
        """
        most = max(_FEWEST_STEPS, int(_BLOCK_SECONDS / seconds))
        while steps > 0:
            size = min(most, steps)
            steps -= size
            yield self._block(self.time + seconds * np.arange(1, size + 1, dtype=np.float64), seconds)

    def _block(self, times: Floats, seconds: float) -> Told:
        course = self._live(times, seconds)
        cells = self.pack.follow(course["current_a"], course["lagging_a"], seconds)
        moved = float(np.abs(course["current_a"]).sum()) * seconds / 3_600.0
        fade = _FADE_A_CYCLE * moved / (2.0 * self.design.capacity_ah) + _FADE_A_SECOND * seconds * times.size
        self.pack.soh -= self.design.ageing * fade
        self._course.resistance = self.pack.resistance
        self.time = float(times[-1])
        one = self._as_one_and_weak()
        self._course.soc, self._course.weak_soc, self._course.charge_as, self._course.weak_charge_as = one
        bms = self._gauges.bms(course, cells, number=self.design.cells, soh=self.pack.soh, seconds=seconds)
        truth = {
            "ac_kw": course["ac_kw"],
            "dc_kw": cells.total * course["current_a"] / 1_000.0,
            "loss_kw": course["loss_kw"],
            "soc": course["soc"],
            "lowest_cell": cells.lowest_cell,
            "highest_cell": cells.highest_cell,
        }
        pcs = self._gauges.pcs(course, cells, self._course.converter)
        return Told(times, {System.BMS: bms, System.PCS: pcs}, truth)

    def _live(self, times: Floats, seconds: float) -> dict[str, Floats]:
        around, course = self.surroundings, self._course
        outdoors = around.outdoors_c(times)
        asked = (self.design.rated_kw * around.wanted_share(times)).tolist()
        steps = zip(asked, around.ceiling(times).tolist(), outdoors.tolist(), strict=True)
        rows = [(*course.step(kw, top, air, seconds), course.soc) for kw, top, air in steps]
        columns = dict(zip((*COLUMNS, "soc"), np.array(rows).T, strict=True))
        return columns | {"outdoors_c": outdoors, "grid": around.grid(times)}

    def _as_one_and_weak(self) -> tuple[float, float, float, float]:
        """Return the state of charge of all cells as one and of the weak one, and what each of both holds, As."""
        socs, capacities = self.pack.socs, self.pack.capacities_ah
        weak = self.pack.weak
        charges = 3_600.0 * capacities
        return float(socs.mean()), float(socs[weak]), float(charges.mean()), float(charges[weak])
