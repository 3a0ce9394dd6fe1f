"""A gateway as a process runs it: one connection, what comes in by it, and what goes out."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.conf import settings

from meters.devices.decoding import Sample
from meters.devices.gateway.intake import Doors, Intake, Terms
from meters.devices.gateway.link import Link
from meters.devices.gateway.outbox import Outbox, Outgoings
from meters.devices.gateway.routes import routes
from meters.devices.selectors.commands import mqtt_creator
from meters.devices.services.alerts import tell_alerts
from meters.devices.services.commands import note_acks, note_sent, take_due
from meters.devices.services.mappings import mappings
from meters.devices.services.messages import take_samples
from meters.devices.services.state import note_statuses
from meters.devices.services.unknown_codes import flush_unknown, note_unknown

logger = logging.getLogger(__name__)

_KINDS = ("energy", "status", "command/ack")
_CREATOR_SECONDS = 5.0
# Less than a supervisor waits before it kills.
_INTAKE_SECONDS, _OUTBOX_SECONDS, _LINK_SECONDS = 4.0, 1.0, 2.0


def topics(*, prefix: str, group: str) -> list[str]:
    """Return what a gateway subscribes to.

    :param group: gateways of one group share the messages between them, where the broker knows shared subscriptions;
        empty: each gets all.
    """
    shared = f"$share/{group}/" if group else ""
    kinds = {"devices": _KINDS, **{subject: route.kinds for subject, route in routes().items()}}
    return [f"{shared}{prefix}/{subject}/+/{kind}" for subject in kinds for kind in kinds[subject]]


def doors() -> Doors:
    """Return what is done with each kind of message."""
    creator = _Remembered(mqtt_creator, _CREATOR_SECONDS)

    def terms() -> Terms:
        return Terms(mappings(), settings.DEVICE_BATCH_LIMIT, creator())

    # Not by the process's common writer: the intake gathers its batches itself, and each thread in between costs.
    def store(samples: Sequence[Sample]) -> Sequence[str]:
        return take_samples(samples=samples, now=datetime.now(UTC))

    return Doors(
        terms=terms,
        store=store,
        note_unknown=note_unknown,
        note_statuses=lambda statuses, now: note_statuses(statuses=statuses, now=now),
        note_acks=lambda acks, now: note_acks(acks=acks, now=now),
    )


def outgoings() -> Outgoings:
    """Return where commands and alerts come from."""
    return Outgoings(
        take_commands=lambda limit, may_publish, now: take_due(limit=limit, may_publish=may_publish, now=now),
        note_sent=lambda sent: note_sent(sent=sent),
        tell_alerts=lambda most, tell, now: tell_alerts(most=most, tell=tell, now=now),
    )


class Gateway:
    """A connection with a thread for what comes in and one for what goes out; the end of one is the end of all."""

    def __init__(self, name: str) -> None:
        """Describe a gateway.

        :param name: the same at every start, because the broker keeps by it what comes meanwhile; no two of the same.
        """
        prefix = settings.MQTT_PREFIX
        self._ending = threading.Event()
        self._failed = False
        self._link = Link(
            url=settings.MQTT_URL,
            client_id=f"{prefix}-gateway-{name}",
            topics=topics(prefix=prefix, group=settings.MQTT_SHARED_GROUP),
        )
        self._intake = Intake(source=self._link, prefix=prefix, doors=doors(), ending=self._ending, routes=routes())
        self._outbox = Outbox(broker=self._link, prefix=prefix, outgoings=outgoings(), ending=self._ending)

    def end(self) -> None:
        """Have :meth:`run` finish what is under way and return."""
        self._ending.set()

    def run(self) -> bool:
        """Work until :meth:`end`; return whether it was that which ended it."""
        gc.collect()
        gc.freeze()
        link = self._start("link", self._link.run)
        intake = self._start("intake", self._intake.run)
        outbox = self._start("outbox", self._outbox.run)
        self._ending.wait()
        intake.join(_INTAKE_SECONDS)
        outbox.join(_OUTBOX_SECONDS)
        self._link.end()
        link.join(_LINK_SECONDS)
        flush_unknown(now=datetime.now(UTC))
        return not self._failed

    def _start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except Exception:
                self._failed = True
                logger.exception("The gateway's %s failed", name)
            finally:
                self._ending.set()

        thread = threading.Thread(target=guarded, name=f"gateway-{name}", daemon=True)
        thread.start()
        return thread


class _Remembered:
    """A value that is asked for anew when the last answer is some seconds old."""

    def __init__(self, ask: Callable[[], int | None], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asked_at = -seconds
        self._value: int | None = None

    def __call__(self) -> int | None:
        now = time.monotonic()
        if now - self._asked_at >= self._seconds:
            self._value = self._ask()
            self._asked_at = now
        return self._value
