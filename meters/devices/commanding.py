"""What becomes of a command: which states follow which, when to try again, and what proves that it took effect.

queued → sent (the broker took it) → delivered (the device acknowledged it) → effective (telemetry shows it); or not
effective, expired, failed. The device must do nothing after ``expires``, and a command that it gets twice once only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MOST_ATTEMPTS = 10
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=5)
# How long telemetry may take to show what a device acknowledged, and how often it is looked for.
EFFECT_WINDOW = timedelta(minutes=2)
_EFFECT_PAUSE = timedelta(seconds=1)
# A load that draws less is off.
IDLE_W = 1.0


class State(StrEnum):
    """What a command has come to."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    EFFECTIVE = "effective"
    NOT_EFFECTIVE = "not_effective"
    EXPIRED = "expired"
    FAILED = "failed"


NEXT: Mapping[State, frozenset[State]] = {
    # A device may acknowledge before the broker's receipt was noted, as when the gateway dies between the two.
    State.QUEUED: frozenset({State.SENT, State.DELIVERED, State.EXPIRED, State.FAILED}),
    State.SENT: frozenset({State.SENT, State.DELIVERED, State.EXPIRED, State.FAILED}),
    State.DELIVERED: frozenset({State.EFFECTIVE, State.NOT_EFFECTIVE}),
    State.EFFECTIVE: frozenset(),
    State.NOT_EFFECTIVE: frozenset(),
    State.EXPIRED: frozenset(),
    State.FAILED: frozenset(),
}
OPEN = frozenset(state for state, following in NEXT.items() if following)
SUPERSEDED = "A newer command took its place."


@dataclass(frozen=True)
class Standing:
    """A command as it stands."""

    state: State
    switch: bool
    attempts: int
    expires_at: datetime
    delivered_at: datetime | None = None


@dataclass(frozen=True)
class Evidence:
    """What a device told last since a command was sent: its switch and its power (W), None where it told nothing."""

    switch: bool | None = None
    power_w: float | None = None

    def shows(self, switch: bool) -> bool | None:
        """Tell whether the device does what it was told; its switch counts before its power; None: it told nothing."""
        if self.switch is not None:
            return self.switch is switch
        if self.power_w is not None:
            return (abs(self.power_w) >= IDLE_W) is switch
        return None


@dataclass(frozen=True)
class Publish:
    """Send it, and look again at ``again_at``."""

    again_at: datetime


@dataclass(frozen=True)
class Wait:
    """Look again at ``again_at``."""

    again_at: datetime


@dataclass(frozen=True)
class Settle:
    """It has come to its end."""

    state: State
    reason: str = ""


def may_follow(before: str, after: str) -> bool:
    """Tell whether a command in one state may come to another."""
    return State(after) in NEXT[State(before)]


def decide(command: Standing, evidence: Evidence | None, now: datetime) -> Publish | Wait | Settle:
    """Say what is to be done with an open command that is due.

    :param evidence: of a delivered command, what its device told since it was sent.
    """
    if command.state is State.DELIVERED:
        return _judge(command, evidence or Evidence(), now)
    if now >= command.expires_at:
        told = "It was never sent." if command.attempts == 0 else "The device did not acknowledge it in time."
        return Settle(State.EXPIRED, told)
    if command.attempts >= MOST_ATTEMPTS:
        return Settle(State.FAILED, f"Sent {command.attempts} times, and never acknowledged.")
    pause = min(_FIRST_PAUSE * 2**command.attempts, _LONGEST_PAUSE)
    return Publish(min(now + pause, command.expires_at))


def superseded(state: State) -> Settle:
    """Say what becomes of an open command when the same device is told something newer."""
    return Settle(State.NOT_EFFECTIVE if state is State.DELIVERED else State.FAILED, SUPERSEDED)


def _judge(command: Standing, evidence: Evidence, now: datetime) -> Wait | Settle:
    shown = evidence.shows(command.switch)
    if shown:
        return Settle(State.EFFECTIVE)
    if command.delivered_at is not None and now < command.delivered_at + EFFECT_WINDOW:
        return Wait(now + _EFFECT_PAUSE)
    if shown is None:
        return Settle(State.NOT_EFFECTIVE, "The device told nothing of its switch or power afterwards.")
    return Settle(State.NOT_EFFECTIVE, f"The device tells otherwise: {_said(evidence)}.")


def _said(evidence: Evidence) -> str:
    if evidence.switch is not None:
        return "its switch is on" if evidence.switch else "its switch is off"
    return f"it draws {evidence.power_w:.1f} W"
