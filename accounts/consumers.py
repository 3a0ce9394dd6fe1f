"""What stays connected: the state of something as whoever listens may see it, from now on."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.utils import timezone

from accounts.models import User
from accounts.selectors.standing import Caller, people_behind
from accounts.services.tickets import redeem_ticket

NO_LOGIN, NOT_ALLOWED = 4401, 4403
SHORTEST_PAUSE_SECONDS = 1.0
LOGIN_PAUSE_SECONDS = 4.0
LOOKS_AT_THE_LOGIN = 15
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Refusal(Exception):
    """Why a stream closes; the code is the websocket's."""

    code: int


class StateConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """A state that somebody may see: at once, and whenever it changes.

    A message is the whole state, never a step towards it, and the next one is made only once the last one is out: who
    reads slowly misses what was in between, and nothing piles up. Every state is looked up anew as who asks may see it
    then; a login that ended closes the stream within seconds, also while nothing changes. Who listens has a session, or
    shows ``?ticket=``. Groups are sent ``{"type": "changed"}``.
    """

    def groups_of(self, user: User) -> list[str]:
        """Return the groups whose changes somebody hears of.

        :raises Refusal: they may not listen.
        """
        raise NotImplementedError

    def state_of(self, user: User) -> dict[str, Any]:
        """Return the state as somebody may see it, JSON-safe."""
        raise NotImplementedError

    async def connect(self) -> None:
        """Let in whoever may listen; others are told why before it closes."""
        self._groups: list[str] = []
        self._changed = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None
        await self.accept()
        try:
            self._caller = await database_sync_to_async(caller_of)(self.scope)
            groups = await self._ask(self.groups_of)
        except Refusal as refusal:
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

    async def changed(self, _: dict[str, Any]) -> None:
        """Note that the state is another now."""
        self._changed.set()

    async def _tell(self) -> None:
        told = None
        try:
            while True:
                self._changed.clear()
                state = await self._ask(self.state_of)
                if state != told:
                    await self.send_json(state)
                    told = state
                await asyncio.sleep(SHORTEST_PAUSE_SECONDS)
                await self._wait()
        except Refusal as refusal:
            await self.close(refusal.code)

    async def _wait(self) -> None:
        for _ in range(LOOKS_AT_THE_LOGIN):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOGIN_PAUSE_SECONDS)
                return
            await self._ask(lambda _user: None)

    async def _ask(self, question: Callable[[User], _Answer]) -> _Answer:
        answer: _Answer = await database_sync_to_async(_answer)(self._caller, question)
        return answer


def caller_of(scope: dict[str, Any]) -> Caller:
    """Return by what a connection came in: its ticket if it shows one, otherwise its session.

    :raises Refusal: the ticket is wrong, has lapsed or was used.
    """
    tickets = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("ticket")
    if not tickets:
        return Caller(session_key=scope["cookies"].get(settings.SESSION_COOKIE_NAME))
    redeemed = redeem_ticket(tickets[0])
    if redeemed is None:
        raise Refusal(NO_LOGIN)
    user_id, epoch = redeemed
    return Caller(user_id=user_id, epoch=epoch)


def person_behind(caller: Caller) -> User:
    """Return who it is as they stand now.

    :raises Refusal: the login has ended.
    """
    user = people_behind([caller], now=timezone.now()).get(caller)
    if user is None:
        raise Refusal(NO_LOGIN)
    return user


def _answer(caller: Caller, question: Callable[[User], _Answer]) -> _Answer:
    return question(person_behind(caller))
