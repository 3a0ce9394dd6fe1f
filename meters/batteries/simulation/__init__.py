"""A physical battery that nobody has: cells, their pack, its converter, and what both would tell."""

from meters.batteries.simulation.battery import Design, SimulatedBattery
from meters.batteries.simulation.gauges import Told

__all__ = ["Design", "SimulatedBattery", "Told"]
