"""Appliances made of numbers: what a meter at their plug would show every half minute."""

import numpy as np

from meters.insights.appliances import resample

NIGHT = 1_700_006_400.0  # 2023-11-15 00:00 UTC
STEP = 30.0
DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0


def refrigerator(days=1.0, *, seed=0, on=15.0, off=35.0, watts=90.0, idle=0.5):
    """Return seconds since NIGHT and watts: cycles of some minutes that vary, with surges and the lamp of a door."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(0.0, days * DAY, STEP)
    drawn = np.full(len(seconds), idle)
    at = rng.uniform(0, off * MINUTE)
    while at < seconds[-1]:
        end = at + on * MINUTE * rng.uniform(0.85, 1.15)
        place = np.searchsorted(seconds, at)
        drawn[place : np.searchsorted(seconds, end)] = watts + rng.normal(0, 1.5)
        drawn[place] = 4 * watts
        at = end + off * MINUTE * rng.uniform(0.8, 1.2)
    lamp = rng.choice(len(seconds), size=int(20 * days), replace=False)
    drawn[lamp] += 20
    return seconds, drawn + rng.normal(0, 0.3, len(drawn)).clip(-0.4, 1)


def washing(*, seed=0, heating=8.0, pumping=1.5, begin=10.0, heater=2000.0):
    """Return a day with one programme: water is heated, the drum turns, and the pump runs six times."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(0.0, DAY, STEP)
    drawn = np.zeros(len(seconds))
    at = (begin + rng.uniform(-1, 1)) * HOUR
    for minutes, watts in ((3, 12), (heating, heater), *(((8, 130), (pumping, 32)) * 6), (4, 400)):
        end = at + minutes * MINUTE
        drawn[(seconds >= at) & (seconds < end)] = watts + rng.normal(0, watts * 0.01)
        at = end
    return seconds, drawn


def power(seconds, watts, *, begin=0.0):
    """Return samples on regular steps, some days later than NIGHT."""
    return resample(NIGHT + begin + seconds, watts)


def healthy_days(make, count, **how):
    """Return days of power, each made of a seed of its own."""
    return [power(*make(seed=seed, **how), begin=seed * DAY) for seed in range(count)]
