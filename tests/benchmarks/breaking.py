"""Break healthy appliances: what their plugs would have shown with a fault, made from what they did show.

Each function takes samples (seconds, watts) and the instant from which the fault is there, and returns watts.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_HEATER_WATTS = 700.0


def never_off(times: Floats, watts: Floats, since: float, running_watts: float) -> Floats:
    """Let the compressor run on: its pauses show what its runs did."""
    running = watts[watts >= running_watts]
    drawn = np.resize(running[len(running) // 4 :], len(watts))
    return np.where((times >= since) & (watts < running_watts), drawn, watts)


def never_on(times: Floats, watts: Floats, since: float, running_watts: float) -> Floats:
    """Let the compressor rest: its runs show what its pauses did."""
    return np.where((times >= since) & (watts >= running_watts), float(np.median(watts[watts < running_watts])), watts)


def hurried(times: Floats, watts: Floats, since: float, times_faster: float = 3.0) -> Floats:
    """Let cycles follow each other faster: time goes by faster and begins anew when the samples are over."""
    span = times[-1] - since
    if span <= 0:
        return watts
    sped = since + np.mod((times - since) * times_faster, span)
    places = np.clip(np.searchsorted(times, sped, side="right") - 1, 0, len(watts) - 1)
    return np.where(times >= since, watts[places], watts)


def chopped(times: Floats, watts: Floats, since: float, running_watts: float, pause_seconds: float = 90.0) -> Floats:
    """Cut each run into three by pauses of a minute and a half."""
    broken = watts.copy()
    for begin, end in _runs(times, watts >= running_watts):
        for third in (1, 2):
            cut = begin + (end - begin) * third / 3
            broken[(times >= max(cut, since)) & (times < cut + pause_seconds)] = 0.0
    return broken


def stronger(times: Floats, watts: Floats, since: float, running_watts: float, factor: float = 1.3) -> Floats:
    """Let it draw more, or less, whenever it runs."""
    return np.where((times >= since) & (watts >= running_watts), watts * factor, watts)


def leaking(times: Floats, watts: Floats, since: float, running_watts: float, factor: float = 1.5) -> Floats:
    """Let each run last longer, at the expense of the pause after it."""
    broken = watts.copy()
    for begin, end in _runs(times, watts >= running_watts):
        longer = (times >= max(end, since)) & (times < end + (end - begin) * (factor - 1))
        settled = watts[(times >= begin + (end - begin) / 2) & (times < end)]
        if end - begin > 120 and len(settled):
            broken[longer] = np.maximum(broken[longer], float(np.median(settled)))
    return broken


def standing_by(times: Floats, watts: Floats, since: float, more_watts: float = 10.0) -> Floats:
    """Let it draw some watts more all the time."""
    return np.where(times >= since, watts + more_watts, watts)


def cold(times: Floats, watts: Floats, since: float, instead_watts: float = 4.0) -> Floats:
    """Let the heater stay cold."""
    return np.where((times >= since) & (watts >= _HEATER_WATTS), instead_watts, watts)


def unpumped(times: Floats, watts: Floats, since: float, band: tuple[float, float]) -> Floats:
    """Let what draws between two powers stand still."""
    return np.where((times >= since) & (watts >= band[0]) & (watts < band[1]), 4.0, watts)


def boiling_on(times: Floats, watts: Floats, since: float) -> Floats:
    """Let the heater not switch off after its first use."""
    hot = np.flatnonzero((watts >= _HEATER_WATTS) & (times >= since))
    if not len(hot):
        return watts
    return np.where(times >= times[hot[0]], float(np.median(watts[hot])), watts)


def _runs(times: Floats, mask: npt.NDArray[np.bool_]) -> list[tuple[float, float]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    last = len(times) - 1
    return [
        (float(times[first]), float(times[min(after, last)]))
        for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    ]
