"""What became of a request's live readings, as every door tells it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from energy_portal.shared.errors import ItemError
from meters.batteries.decoding import Decoded
from meters.batteries.selectors.batteries import UnknownBattery
from meters.batteries.services.live import Outcome
from meters.devices.services.intake import AllRejected

_DETAILS = {
    Outcome.RETIRED_BATTERY: "The battery was retired.",
    Outcome.TOO_OLD: "The time lies before 2000.",
    Outcome.IN_FUTURE: "The time lies in the future.",
    Outcome.CONFLICT: "Another value stands at this time already; the first one counts.",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request: everything that it counts is on disk.

    :ivar stored: readings that told something new.
    :ivar duplicates: readings that stood already.
    :ivar rejected: what was left out, by its index.
    :ivar conflicts: readings that tell another value than the one that stands; a repeat is none.
    """

    stored: int
    duplicates: int = 0
    rejected: tuple[ItemError, ...] = ()
    conflicts: tuple[ItemError, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the answer, with lists only where there is something to list."""
        answer: dict[str, Any] = {"status": "ok", "stored": self.stored, "duplicates": self.duplicates}
        for name, items in (("rejected", self.rejected), ("conflicts", self.conflicts)):
            if items:
                answer[name] = [item.as_dict() for item in items]
        return answer


ONE_STORED = Receipt(1)


def conclude(decoded: Decoded, outcomes: Sequence[Outcome]) -> Receipt:
    """Say what became of a request.

    :param outcomes: one a reading of it.
    :raises UnknownBattery: there is no such battery, and this caller may not create it.
    :raises AllRejected: nothing of it was taken; its ``errors`` name each reading.
    """
    if len(outcomes) == 1 and outcomes[0] is Outcome.STORED and not decoded.rejected:
        # Most requests hold one reading and give no cause for complaint.
        return ONE_STORED
    if Outcome.UNKNOWN_BATTERY in outcomes:
        raise UnknownBattery("There is no such battery.")
    rejected, conflicts = list(decoded.rejected), []
    for index, outcome in zip(decoded.places, outcomes, strict=True):
        if outcome is Outcome.CONFLICT:
            conflicts.append(ItemError(outcome.value, _DETAILS[outcome], index=index))
        elif outcome in _DETAILS:
            rejected.append(ItemError(outcome.value, _DETAILS[outcome], index=index))
    rejected.sort(key=lambda item: item.index or 0)
    stored, duplicates = outcomes.count(Outcome.STORED), outcomes.count(Outcome.DUPLICATE)
    if rejected and not (stored or duplicates or conflicts):
        raise AllRejected("Nothing of this was taken; each reading is listed with its reason.", errors=rejected)
    return Receipt(stored, duplicates, tuple(rejected), tuple(conflicts))
