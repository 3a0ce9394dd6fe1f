"""Commands: asked for, sent, acknowledged, judged. Each is a row of a durable outbox with a ledger of its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Forbidden, Invalid
from meters.devices.commanding import (
    OPEN,
    Evidence,
    Publish,
    Settle,
    Standing,
    State,
    Wait,
    decide,
    may_follow,
    superseded,
)
from meters.devices.models import Command, CommandStep, Device
from meters.devices.selectors.commands import device_for, may_command
from meters.devices.store.commands import evidence_since

LONGEST_EXPIRY = timedelta(days=1)
# Devices tell milliseconds, and some of them whole seconds.
_WHOLE_SECOND = timedelta(seconds=1)
_UNANSWERED = frozenset({State.QUEUED, State.SENT})
_REFUSED = "The device refused it."


class CriticalLoad(Conflict):
    """Nobody may switch the device from here."""

    code = "critical_load"


class RetiredDevice(Conflict):
    """The device is not in service any more."""

    code = "retired_device"


class NotAdministrator(Forbidden):
    """The one who asks may see the device, but not switch it."""

    code = "not_administrator"


@dataclass(frozen=True)
class Outgoing:
    """A command that is to be published now."""

    id: UUID
    device_id: str
    switch: bool
    expires_at: datetime


@dataclass(frozen=True)
class CommandAck:
    """What a device answered to a command."""

    command_id: UUID
    device_id: str
    ok: bool


@transaction.atomic
def send_command(
    *, device_id: str, switch: bool, expires_in: timedelta | None = None, actor: Actor, now: datetime
) -> Command:
    """Put a command into the outbox; an open one of the same device gives way to it.

    :param device_id: as the device names itself.
    :param expires_in: after which the device must not obey any more; unless told, ``COMMAND_EXPIRY_SECONDS``.
    :raises CriticalLoad: the device is on the list of those that nobody switches.
    :raises Invalid: it would expire at once, or in more than a day.
    :raises NotAdministrator: the actor may only view the device's account.
    :raises RetiredDevice: it is out of service.
    :raises UnknownDevice: there is none that the actor sees.
    """
    lifetime = timedelta(seconds=settings.COMMAND_EXPIRY_SECONDS) if expires_in is None else expires_in
    if not timedelta(0) < lifetime <= LONGEST_EXPIRY:
        raise Invalid("A command lives for more than nothing, and for a day at most.")
    seen = device_for(device_id=device_id, actor=actor)
    device: Device = Device.objects.select_for_update(no_key=True).get(pk=seen.pk)
    if not may_command(device=device, actor=actor, now=now):
        raise NotAdministrator(_("You may see this device, but not switch it."))
    if device.status == Device.Status.RETIRED:
        raise RetiredDevice(_("This device is out of service."))
    if device.is_critical:
        raise CriticalLoad(_("This is a critical load: nobody may switch it from here."))
    _supersede(device, now)
    command = Command.objects.create(
        device=device,
        switch=switch,
        user=actor.user,
        source=actor.source,
        created_at=now,
        expires_at=now + lifetime,
        next_attempt_at=now,
    )
    CommandStep.objects.create(command=command, status=State.QUEUED, at=now)
    audit.record(action="command.queued", obj=command, actor=actor, now=now, device=device_id, switch=switch)
    return command


@transaction.atomic
def take_due(*, limit: int, may_publish: bool = True, now: datetime) -> list[Outgoing]:
    """Move on the commands that are due, oldest first, and return those to publish now.

    What is returned is not due again for a while, so that several gateways share the work; what is published but never
    noted as sent, because its gateway died, is published again. A constant number of queries; the index of open
    commands serves the search.
    """
    due = list(
        Command.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        .filter(status__in=sorted(OPEN), next_attempt_at__lte=now)
        .select_related("device")
        .order_by("next_attempt_at", "created_at")[:limit]
    )
    outgoing: list[Outgoing] = []
    steps: list[CommandStep] = []
    for command, evidence in zip(due, _evidence(due), strict=True):
        match decide(_standing(command), evidence, now):
            case Publish(again_at) if may_publish:
                command.attempts += 1
                command.next_attempt_at = again_at
                outgoing.append(_outgoing(command))
            case Publish(again_at) | Wait(again_at):
                command.next_attempt_at = again_at
            case Settle() as end:
                steps.append(_settle(command, end, now))
    _store(due, steps)
    return outgoing


@transaction.atomic
def note_sent(*, sent: Mapping[UUID, datetime]) -> None:
    """Remember that the broker took commands; what a device acknowledged meanwhile stays as it is.

    :param sent: when each was given to the broker.
    """
    commands = [command for command in _locked(sent) if command.sent_at is None or command.status in _UNANSWERED]
    steps = []
    for command in commands:
        at = sent[command.pk]
        command.sent_at = min(command.sent_at or at, at)
        if may_follow(command.status, State.SENT):
            command.status = Command.Status.SENT
            steps.append(_step(command, at, f"Attempt {command.attempts}." if command.attempts > 1 else ""))
    _store(commands, steps)


@transaction.atomic
def note_acks(*, acks: Sequence[CommandAck], now: datetime) -> int:
    """Take in what devices answered; the first answer to a command stands.

    An answer to a command that has come to its end changes nothing, but stands in its ledger: the device may well have
    obeyed.

    :returns: how many answers belonged to no command of the device that gave them.
    """
    answers: dict[tuple[UUID, str], bool] = {}
    for ack in acks:
        answers.setdefault((ack.command_id, ack.device_id), ack.ok)
    commands = [command for command in _locked({pk for pk, _ in answers}) if _key(command) in answers]
    _store(commands, [step for command in commands for step in _answered(command, answers[_key(command)], now)])
    return len(answers) - len(commands)


def _key(command: Command) -> tuple[UUID, str]:
    return command.pk, command.device.device_id


def _answered(command: Command, ok: bool, now: datetime) -> list[CommandStep]:
    """Take a device's answer in, and return what goes into the ledger: nothing for an answer that is known already."""
    if command.delivered_at is not None or command.reason == _REFUSED:
        return []
    in_time = may_follow(command.status, State.DELIVERED)
    if ok:
        command.delivered_at = now
    if not in_time:
        return [_step(command, now, f"Too late, the device answered {'ok' if ok else 'no'}.")]
    if not ok:
        return [_settle(command, Settle(State.FAILED, _REFUSED), now)]
    command.status = Command.Status.DELIVERED
    command.next_attempt_at = now
    return [_step(command, now)]


def _supersede(device: Device, now: datetime) -> None:
    """Bring a device's open commands to an end: sent again, they would undo what is newer."""
    older = list(
        Command.objects.select_for_update(no_key=True).filter(device=device, status__in=sorted(OPEN)).order_by("pk")
    )
    _store(older, [_settle(command, superseded(State(command.status)), now) for command in older])


def _locked(command_ids: Iterable[UUID]) -> list[Command]:
    wanted = Command.objects.filter(pk__in=sorted(set(command_ids))).select_related("device").order_by("pk")
    return list(wanted.select_for_update(of=("self",), no_key=True))


def _evidence(commands: Sequence[Command]) -> list[Evidence | None]:
    """Return what the devices of delivered commands told since these were first sent, None for the others.

    Counted from when the broker was given the command, not from the acknowledgement: a device may report its new
    state first and acknowledge then, and one that reports changes only says so once.
    """
    delivered = [command for command in commands if command.status == Command.Status.DELIVERED]
    asked = [(command.device_id, (command.sent_at or command.created_at) - _WHOLE_SECOND) for command in delivered]
    found = dict(zip((command.pk for command in delivered), evidence_since(asked), strict=True))
    return [found.get(command.pk) for command in commands]


def _standing(command: Command) -> Standing:
    return Standing(State(command.status), command.switch, command.attempts, command.expires_at, command.delivered_at)


def _outgoing(command: Command) -> Outgoing:
    return Outgoing(command.pk, command.device.device_id, command.switch, command.expires_at)


def _settle(command: Command, end: Settle, now: datetime) -> CommandStep:
    command.status = Command.Status(end.state)
    command.reason = end.reason
    command.settled_at = now
    command.next_attempt_at = None
    return _step(command, now, end.reason)


def _step(command: Command, now: datetime, detail: str = "") -> CommandStep:
    return CommandStep(command=command, status=command.status, at=now, detail=detail)


def _store(commands: Sequence[Command], steps: Sequence[CommandStep]) -> None:
    fields = ["status", "attempts", "next_attempt_at", "sent_at", "delivered_at", "settled_at", "reason"]
    Command.objects.bulk_update(commands, fields)
    CommandStep.objects.bulk_create(steps)
