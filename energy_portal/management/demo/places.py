"""Where the demo takes place: regions of Singapore, and the homes in them; no Django."""

import numpy as np

from energy_portal.management.demo.cast import SEED, Household
from energy_portal.shared.geo import Spot

RADIUS_M = 2_500
REGIONS = (
    ("Tampines", Spot(1.3530, 103.9440)),
    ("Clementi", Spot(1.3151, 103.7654)),
    ("Toa Payoh", Spot(1.3343, 103.8563)),
    ("Punggol", Spot(1.4041, 103.9025)),
    ("Bedok", Spot(1.3236, 103.9273)),
    ("Ang Mo Kio", Spot(1.3691, 103.8454)),
)
_STREETS = {
    "Tampines Street 81": Spot(1.3493, 103.9358),
    "Bedok North Avenue 3": Spot(1.3308, 103.9392),
    "Clementi Avenue 2": Spot(1.3145, 103.7690),
    "Toa Payoh Lorong 5": Spot(1.3358, 103.8557),
    "Punggol Field Walk": Spot(1.4006, 103.9065),
    "Ang Mo Kio Avenue 10": Spot(1.3667, 103.8565),
}
# About 330 m: blocks of one street lie that far from its middle at most.
_AROUND_DEGREES = 0.003


def spot_of(household: Household) -> Spot:
    """Return where a household lives: near its street, its own place, the same each time."""
    middle = next(spot for street, spot in _STREETS.items() if street in household.address)
    north, east = np.random.default_rng((SEED, *household.number.encode())).uniform(-1, 1, 2) * _AROUND_DEGREES
    return Spot(round(middle.latitude + float(north), 6), round(middle.longitude + float(east), 6))


def offset(spot: Spot, *, north_m: float) -> Spot:
    """Return a place some metres north of another, on a ball."""
    return Spot(spot.latitude + north_m / 111_195, spot.longitude)


def between(start: Spot, end: Spot, share: float) -> Spot:
    """Return a place on the straight way between two that are near each other."""
    return Spot(
        start.latitude + (end.latitude - start.latitude) * share,
        start.longitude + (end.longitude - start.longitude) * share,
    )
