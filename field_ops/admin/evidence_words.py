"""Evidence as a reviewer reads it: each piece in words, with its numbers, and the reasons of its risk."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_datetime

from energy_portal.shared.admin import moment
from field_ops.evidence import Reason
from field_ops.models import ApprovalRequest, Submission
from meters.admin.common import change_url
from meters.models import Register

REASON_WORDS = {
    Reason.SERIAL_OF_ANOTHER_METER: "The serial given is that of another meter.",
    Reason.TAMPERED: "The agent says that the meter was tampered with.",
    Reason.DAMAGED: "The agent says that the meter is damaged.",
    Reason.PHOTO_SENT_BEFORE: "The very same photo was sent before.",
    Reason.PHOTO_LOOKS_LIKE_ANOTHER: "The photo looks like one that was sent before.",
    Reason.PHOTO_READS_DIFFERENTLY: "The photo, read by the machine, shows another value.",
    Reason.OUTSIDE_EXPECTED_RANGE: "The value lies outside what the meter's past lets expect.",
    Reason.LARGE_STEP: "The value is far above the last one, and little is known of the meter.",
    Reason.FAR_FROM_METER: "The agent stood far from the meter.",
    Reason.PHOTO_TAKEN_ELSEWHERE: "By its camera the photo was taken elsewhere.",
    Reason.PHOTO_OF_ANOTHER_DAY: "By its camera the photo is of another day.",
    Reason.SERIAL_DIFFERS: "The serial given is not the meter's.",
    Reason.NO_PHOTO: "No photo came with it.",
    Reason.NO_POSITION: "No position came with it.",
    Reason.POSITION_VAGUE: "The position is too vague to tell where the agent stood.",
    Reason.ARRIVED_LATE: "It arrived days after it was read.",
    Reason.OBSTACLE_WITHOUT_PHOTO: "No photo shows why it could not be read.",
    Reason.METER_NOT_PLACED: "The portal does not know where the meter is.",
    Reason.SERIAL_NOT_GIVEN: "The serial was neither scanned nor typed.",
    Reason.NO_HISTORY: "The meter has no reading to compare with.",
}
_WORDS_OF_CODES = {reason.value: words for reason, words in REASON_WORDS.items()}
_OCR_WORDS = {
    "waiting": "Being read just now",
    "unreadable": "Not checked: the picture could not be read",
    "no_photo": "No photo",
}
_KILOMETRE = 1_000
_NOT_KNOWN = "Not known"


@dataclass(frozen=True)
class Fact:
    """A piece of evidence: ``tone`` is good, warn, bad, plain or muted, and ``icon`` says the same without colour."""

    label: str
    text: str
    tone: str = "plain"
    url: str = ""

    @property
    def icon(self) -> str:
        """The name of a symbol; empty where the text says it all."""
        return {"good": "check", "warn": "warning", "bad": "error"}.get(self.tone, "")


def reasons_of(request: ApprovalRequest) -> tuple[str, ...]:
    """Say what raised the risk or is worth a note, the worst first."""
    return tuple(_WORDS_OF_CODES.get(code, code.replace("_", " ")) for code in request.risk_reasons)


def expected_range(evidence: Mapping[str, Any]) -> tuple[Decimal, Decimal] | None:
    """Return the lowest and highest value that was expected; None where none was, or the dial would turn over."""
    known = _part(evidence, "range")
    if known.get("low") is None or known.get("high") is None:
        return None
    low, high = Decimal(known["low"]), Decimal(known["high"])
    return (low, high) if low <= high else None


def facts_of(request: ApprovalRequest) -> tuple[Fact, ...]:
    """Return the evidence of a request, piece by piece."""
    evidence, against, submission = request.evidence, set(request.risk_reasons), request.submission
    return (
        *_position(_part(evidence, "position"), against),
        *_photo(_part(evidence, "photo"), against),
        _ocr(_part(evidence, "ocr")),
        _serial(_part(evidence, "serial"), submission),
        *_range(_part(evidence, "range"), against, submission.register),
        _age(_part(evidence, "age"), against, submission),
    )


def _part(evidence: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = evidence.get(name)
    return part if isinstance(part, Mapping) else {}


def _position(position: Mapping[str, Any], against: set[str]) -> tuple[Fact, ...]:
    distance, allowed = position.get("distance_m"), position.get("allowed_m")
    accuracy = position.get("accuracy_m")
    if distance is None:
        unknown = REASON_WORDS[Reason.NO_POSITION if Reason.NO_POSITION in against else Reason.METER_NOT_PLACED]
        tone = "warn" if Reason.NO_POSITION in against else "muted"
        found = Fact("Distance from the meter", unknown, tone)
    else:
        tone = "warn" if Reason.FAR_FROM_METER in against else "good"
        found = Fact("Distance from the meter", f"{_metres(distance)}; {_metres(allowed)} or less is near", tone)
    vague = Reason.POSITION_VAGUE in against
    told = "Not told" if accuracy is None else f"within {_metres(accuracy)}"
    return found, Fact("Accuracy of the position", told, "warn" if vague else "plain" if accuracy else "muted")


def _photo(photo: Mapping[str, Any], against: set[str]) -> tuple[Fact, ...]:
    if not photo.get("is_sent"):
        return (Fact("Photo", "None came", "warn" if Reason.NO_PHOTO in against else "muted"),)
    taken = parse_datetime(str(photo.get("taken_at") or ""))
    tone = "warn" if Reason.PHOTO_OF_ANOTHER_DAY in against else "plain" if taken else "muted"
    facts = [Fact("Photo taken, by its camera", moment(taken, missing="Its camera does not say"), tone)]
    if photo.get("distance_m") is not None:
        elsewhere = "warn" if Reason.PHOTO_TAKEN_ELSEWHERE in against else "good"
        facts.append(Fact("Photo taken, from there", _metres(photo["distance_m"]), elsewhere))
    twins = photo.get("twins") or ()
    facts += [_twin(twin) for twin in twins]
    return (*facts, *(() if twins else (Fact("Photo sent before", "No, nor one like it", "good"),)))


def _twin(twin: Mapping[str, Any]) -> Fact:
    like = "The same" if twin.get("is_exact") else f"Alike but for {twin.get('bits')} of 64 bits"
    url = change_url(Submission, twin["submission"]) if twin.get("submission") else ""
    return Fact("Photo sent before", f"{like}: of {twin.get('meter')}", "bad", url)


def _ocr(found: Mapping[str, Any]) -> Fact:
    label, state = "Photo read by the machine", str(found.get("state", ""))
    if state != "checked":
        return Fact(label, _OCR_WORDS.get(state, "Not checked"), "muted")
    agrees = found.get("agrees")
    if agrees is None:
        return Fact(label, "Nothing on it looks like a dial", "muted")
    if agrees:
        return Fact(label, "It shows the value", "good")
    texts = ", ".join(str(text) for text in found.get("texts", ()))
    return Fact(label, f"It shows something else: {texts}", "warn")


def _serial(serial: Mapping[str, Any], submission: Submission) -> Fact:
    given = serial.get("given")
    if not given:
        return Fact("Serial at the meter", "Not given", "muted")
    how = "scanned" if submission.serial_scanned else "typed"
    if serial.get("matches"):
        return Fact("Serial at the meter", f"{given}, {how}: it matches", "good")
    other = f", which is another meter ({serial['other_meter']})" if serial.get("other_meter") else ""
    return Fact("Serial at the meter", f"{given}, {how}: it is not {serial.get('expected')}{other}", "bad")


def _range(found: Mapping[str, Any], against: set[str], register: Register | None) -> tuple[Fact, ...]:
    if register is None:
        return ()
    if found.get("low") is None:
        return (Fact("Expected", "Nothing to compare with", "muted"),)
    outside = bool(against & {Reason.OUTSIDE_EXPECTED_RANGE, Reason.LARGE_STEP})
    unit = register.unit
    rests = "by its own past" if found.get("is_known") else "by what its connection carries"
    text = f"{_plain(found['low'])} to {_plain(found['high'])} {unit}, {rests}"
    facts = [Fact("Expected", text, "warn" if outside else "good")]
    since = parse_datetime(str(found.get("since") or ""))
    typical = found.get("typical_per_day")
    usual = f"; {_plain(typical)} {unit} a day is usual" if typical is not None else ""
    facts.append(Fact("Counted since", f"{_plain(found.get('grown'))} {unit} since {moment(since)}{usual}"))
    return tuple(facts)


def _age(age: Mapping[str, Any], against: set[str], submission: Submission) -> Fact:
    seconds = age.get("seconds")
    late = submission.received_at - submission.read_at if seconds is None else timedelta(seconds=seconds)
    text = "At once" if late < timedelta(minutes=1) else f"{_span(late)} after it was read"
    return Fact("Arrived", text, "warn" if Reason.ARRIVED_LATE in against else "plain")


def _span(length: timedelta) -> str:
    minutes = length // timedelta(minutes=1)
    hours, days = minutes // 60, length.days
    if days:
        return f"{days} day{'' if days == 1 else 's'}"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _metres(distance: float | None) -> str:
    if distance is None:
        return _NOT_KNOWN
    return f"{distance / _KILOMETRE:,.1f} km" if distance >= _KILOMETRE else f"{distance:.0f} m"


def _plain(number: object) -> str:
    """Write a decimal without the zeros at its end, with at most three places."""
    if number is None:
        return _NOT_KNOWN
    text = f"{Decimal(str(number)):,.3f}"
    return text.rstrip("0").rstrip(".")
