"""What every door for device messages shares: what a request holds, what became of it, how it is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from energy_portal.shared.errors import Invalid, ItemError
from meters.devices.decoding import QUANTITIES, Decoded, Mappings, decode_energy, decode_messages
from meters.devices.services.messages import Outcome
from meters.devices.services.unknown_codes import note_unknown

Decoder = Callable[[bytes, Mappings, int | None], Decoded]

_DETAILS = {
    Outcome.UNKNOWN_DEVICE: "No device goes by this name, and this source may not create it.",
    Outcome.RETIRED_DEVICE: "The device was retired.",
    Outcome.TOO_OLD: "The time lies before what is accepted.",
    Outcome.IN_FUTURE: "The time lies in the future.",
    Outcome.CONFLICT: "Another value stands at this time already; the first one counts.",
}


class AllRejected(Invalid):
    """Nothing of a request was taken."""

    code = "all_rejected"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request: everything that it counts is on disk.

    :ivar inserted: properties that were stored.
    :ivar rejected: what was left out, by the index of its message.
    :ivar conflicts: messages that tell another value than the one that stands; a repeat is none.
    """

    inserted: int
    rejected: tuple[ItemError, ...] = ()
    conflicts: tuple[ItemError, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the published answer, with lists only where there is something to list."""
        answer: dict[str, Any] = {"status": "ok", "inserted": self.inserted}
        for name, items in (("rejected", self.rejected), ("conflicts", self.conflicts)):
            if items:
                answer[name] = [item.as_dict() for item in items]
        return answer


_WELCOME = (Outcome.STORED, Outcome.DUPLICATE)
_PLAIN = [Receipt(inserted) for inserted in range(len(QUANTITIES) + 1)]


def read_messages(body: bytes, mappings: Mappings, creator: int | None) -> Decoded:
    """Decode ``POST /message``; see :func:`meters.devices.decoding.decode_messages`.

    :raises MalformedBody: no JSON, or neither an object nor an array.
    :raises TooManyMessages: more than ``DEVICE_BATCH_LIMIT``.
    """
    return decode_messages(body, mappings, limit=settings.DEVICE_BATCH_LIMIT, creator=creator)


def read_energy(body: bytes, mappings: Mappings, creator: int | None) -> Decoded:
    """Decode ``POST /api/v1/energy``; see :func:`meters.devices.decoding.decode_energy`.

    :raises MalformedBody: no JSON, or neither an object nor an array.
    :raises TooManyMessages: more than ``DEVICE_BATCH_LIMIT``.
    """
    return decode_energy(body, mappings, limit=settings.DEVICE_BATCH_LIMIT, creator=creator)


def conclude(decoded: Decoded, outcomes: Sequence[Outcome]) -> Receipt:
    """Say what became of a request, and count the codes that nobody knows.

    :param outcomes: one a sample of it.
    :raises AllRejected: nothing of it was taken; its ``errors`` name each message.
    """
    if len(outcomes) == 1 and outcomes[0] in _WELCOME and not decoded.rejected and not decoded.unknown:
        # Most requests hold one sample and give no cause for complaint.
        return _PLAIN[decoded.samples[0].properties if outcomes[0] is Outcome.STORED else 0]
    if decoded.unknown:
        note_unknown(decoded.unknown)
    inserted, kept = 0, bool(decoded.unknown)
    rejected, conflicts = list(decoded.rejected), []
    for sample, index, outcome in zip(decoded.samples, decoded.places, outcomes, strict=True):
        if outcome is Outcome.STORED:
            inserted += sample.properties
        if outcome is Outcome.STORED or outcome is Outcome.DUPLICATE:
            kept = True
            continue
        item = ItemError(outcome.value, _DETAILS[outcome], index=index)
        if outcome is Outcome.CONFLICT:
            conflicts.append(item)
        else:
            rejected.append(item)
    if len(rejected) > len(decoded.rejected):
        rejected.sort(key=_index_of)
    if rejected and not kept and not conflicts:
        raise AllRejected("Nothing of this was taken; each message is listed with its reason.", errors=rejected)
    return Receipt(inserted, tuple(rejected), tuple(conflicts))


def _index_of(item: ItemError) -> int:
    return item.index or 0
