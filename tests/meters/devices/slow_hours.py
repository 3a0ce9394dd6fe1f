"""Hours of a device as anybody would reckon them: all of its samples at once, one after the other."""

from collections import defaultdict
from datetime import timedelta
from itertools import pairwise

from meters.devices.models import DeviceSample
from tests.meters.devices.helpers import HOUR, UNIX


def slow_hours(device, *, until, hold=timedelta(minutes=15), phase=timedelta(0)):
    """Return Wh and covered minutes by the start of the hours that end at or before an instant.

    :param phase: how long after the full hour (UTC) an hour of the device's clock starts.
    """

    def start_of(instant):
        return instant - (instant - UNIX - phase) % HOUR

    rows = list(DeviceSample.objects.filter(device=device).order_by("time"))
    energy, seconds, increments = defaultdict(float), defaultdict(float), defaultdict(list)
    times = [row.time for row in rows]
    power = None
    for row, next_time in zip(rows, [*times[1:], None], strict=False):
        if times[0] < row.time and row.time - max(each for each in times if each < row.time) > hold:
            power = None
        power = power if row.power_w is None else row.power_w
        at, end = row.time, min(filter(None, (row.time + hold, next_time)))
        while power is not None and at < end:
            piece = min(end, start_of(at) + HOUR) - at
            energy[start_of(at)] += power * piece.total_seconds() / 3600
            seconds[start_of(at)] += piece.total_seconds()
            at += piece
        if row.energy_wh is not None:
            increments[start_of(row.time)].append(row.energy_wh)
    for start in increments.keys() - seconds.keys():
        energy[start] = sum(increments[start])
        seconds[start] = _awake([each for each in times if start <= each < start + HOUR], start, hold)
    return {
        start: (round(energy[start], 2), round(seconds[start] / 60, 2))
        for start in sorted(seconds)
        if start + HOUR <= until
    }


def _awake(words, start, hold):
    lead = words[0] - start
    gaps = [min(later - word, hold) for word, later in pairwise([*words, start + HOUR])]
    return sum(((lead if lead <= hold else timedelta(0)), *gaps), timedelta(0)).total_seconds()
