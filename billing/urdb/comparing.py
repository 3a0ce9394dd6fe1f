"""What rates say of each other: one label on two rates, one amount in two schedules."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from billing.urdb.remarks import Level, Remark

_COPIED = ("uri", "revisions", "eiaid", "startdate", "supersedes", "demandreactivepowercharge")


def compare(rates: Sequence[Mapping[str, Any]]) -> dict[int, list[Remark]]:
    """Find what rates that came together share and should not.

    :returns: remarks by the place of the rate among ``rates``.
    """
    found: dict[int, list[Remark]] = {}
    for (one, first), (two, second) in combinations(enumerate(rates), 2):
        if _identity(first) == _identity(second):
            continue
        for place, own, other in ((one, first, second), (two, second, first)):
            found.setdefault(place, []).extend(_shared(own, other))
    return found


def _identity(rate: Mapping[str, Any]) -> tuple[object, object]:
    return rate.get("utility"), rate.get("name")


def _shared(own: Mapping[str, Any], other: Mapping[str, Any]) -> list[Remark]:
    named = f"{other.get('utility')}: {other.get('name')}"
    label = own.get("label")
    remarks = []
    if label and label == other.get("label"):
        same = [member for member in _COPIED if own.get(member) is not None and own.get(member) == other.get(member)]
        also = f" So are {', '.join(same)}: at least one of the two was copied." if same else ""
        remarks.append(Remark(Level.WARNING, "label", f"{label} is also the label of {named}.{also}"))
    elif own.get("supersedes") and own.get("supersedes") == other.get("supersedes"):
        remarks.append(Remark(Level.WARNING, "supersedes", f"{named} is said to supersede the same rate."))
    charge = own.get("fixedchargefirstmeter")
    if charge and charge == other.get("fixedchargefirstmeter"):
        text = f"{named} has the same {charge}: see that both schedules say so."
        remarks.append(Remark(Level.NOTE, "fixedchargefirstmeter", text))
    return remarks
