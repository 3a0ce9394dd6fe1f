"""What stays connected: alarms as they are now, to whoever has a page of them open."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.utils import timezone

from accounts.models import CustomerAccount, User
from accounts.roles import Role
from meters.alarms import ALL_GROUP, FLEET_GROUP, account_group
from meters.models import Alarm
from meters.selectors.alarms import alarms_now

NO_LOGIN, NOT_ALLOWED = 4401, 4403
SHORTEST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
_NEWEST_SHOWN = 20


@dataclass(frozen=True)
class _Refusal(Exception):
    code: int


class AlarmsConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """The alarms that somebody may see: at once, and whenever they change.

    A message is the whole state, never a step towards it, and the next one is made only once the last one is out: who
    reads slowly misses what was in between, and nothing piles up. Every state is looked up anew as who asks may see it
    then, so that a login that ended, or a right that went, ends here as well.
    """

    async def connect(self) -> None:
        """Let in whoever is logged in and has alarms to see; others are told why before it closes."""
        self._groups: list[str] = []
        self._changed = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None
        await self.accept()
        try:
            groups = await self._ask(_groups_of)
        except _Refusal as refusal:
            await self.close(refusal.code)
            return
        for group in groups:
            await self.channel_layer.group_add(group, self.channel_name)
            self._groups.append(group)
        self._teller = asyncio.create_task(self._tell())

    async def disconnect(self, code: int) -> None:
        """Leave nothing behind."""
        if self._teller is not None and self._teller is not asyncio.current_task():
            self._teller.cancel()
            with suppress(asyncio.CancelledError):
                await self._teller
        for group in self._groups:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, *_: Any, **__: Any) -> None:
        """Listen to nothing: whoever watches has nothing to say."""

    async def alarms_changed(self, _: dict[str, Any]) -> None:
        """Note that the state is another now."""
        self._changed.set()

    async def _tell(self) -> None:
        told = None
        try:
            while True:
                self._changed.clear()
                state = await self._ask(_state_of)
                if state != told:
                    await self.send_json(state)
                    told = state
                await asyncio.sleep(SHORTEST_PAUSE_SECONDS)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), LONGEST_PAUSE_SECONDS)
        except _Refusal as refusal:
            await self.close(refusal.code)

    async def _ask(self, question: Any) -> Any:
        return await database_sync_to_async(_as_reader)(self.scope["session"].session_key, question)


def _as_reader(session_key: str | None, question: Any) -> Any:
    """Answer a question of whoever a session belongs to, as it is stored now."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(SimpleNamespace(session=session))  # type: ignore[arg-type]
    if not isinstance(user, User):
        raise _Refusal(NO_LOGIN)
    if user.role == Role.AGENT:
        raise _Refusal(NOT_ALLOWED)
    return question(user)


def _groups_of(user: User) -> list[str]:
    if user.role in {Role.MANAGER, Role.ADMIN}:
        return [ALL_GROUP]
    if user.role == Role.OPERATOR:
        return [FLEET_GROUP]
    return [account_group(key) for key in CustomerAccount.objects.visible_to(user).values_list("pk", flat=True)]


def _state_of(user: User) -> dict[str, Any]:
    visible = Alarm.objects.visible_to(user)
    now = alarms_now(visible, now=timezone.now())
    return {
        "type": "alarms",
        "open": now.open,
        "waiting": now.waiting,
        "worst": now.worst,
        "alarms": [_row(alarm) for alarm in visible.open()[:_NEWEST_SHOWN]],
    }


def _row(alarm: Alarm) -> dict[str, Any]:
    return {
        "id": str(alarm.pk),
        "kind": alarm.kind,
        "subject": alarm.subject,
        "label": alarm.label,
        "severity": alarm.severity,
        "state": alarm.state,
        "text": alarm.text,
        "raised_at": alarm.raised_at.isoformat(),
    }
