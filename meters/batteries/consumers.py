"""What stays connected: a battery as it tells, or once told, to whoever has it open."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import parse_qsl

from channels.db import database_sync_to_async
from django.utils import timezone

from accounts.consumers import NOT_ALLOWED, Refusal, caller_of, person_behind
from accounts.roles import Role
from energy_portal.shared.errors import Invalid
from meters.batteries.models import Battery
from meters.batteries.quantities import System
from meters.batteries.selectors.batteries import UnknownBattery, battery_for
from meters.batteries.selectors.listening import Listening, alarms_first_heard
from meters.batteries.streams import NOT_THEIRS, Feed, Listener, Wish, hub_here, wish_of

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BAD_WISH = 4400
_FAILED = 1011
_WINDOWS = (
    "soc_low_percent",
    "soc_high_percent",
    "cell_voltage_low_v",
    "cell_voltage_high_v",
    "cell_temp_low_c",
    "cell_temp_high_c",
    "igbt_temp_high_c",
    "current_limit_a",
    "rated_power_kw",
)


async def battery_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a websocket of one battery: both its systems, its alarms, and a heartbeat.

    It closes with 4401 without a login, 4403 for a role that sees no batteries, 4404 for somebody else's, 4400 for a
    query that is not understood, and 1012 when the server ends. What the client sends is not listened to.
    """
    await receive()
    await send({"type": "websocket.accept"})
    teller = asyncio.create_task(_tell(scope, send))
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)


async def _tell(scope: Scope, send: Send) -> None:
    try:
        code = await _tell_until_it_ends(scope, send)
    except Refusal as refusal:
        code = refusal.code
    except Invalid as error:
        await send({"type": "websocket.close", "code": BAD_WISH, "reason": error.detail})
        return
    except Exception:
        logger.exception("A stream of a battery failed")
        code = _FAILED
    await send({"type": "websocket.close", "code": code})


async def _tell_until_it_ends(scope: Scope, send: Send) -> int:
    """Tell a client of its battery, and return by which code that ends."""
    wish = wish_of(_query(scope), *System)
    battery, listener = await database_sync_to_async(_let_in)(scope, wish)
    hub = hub_here()
    await hub.join(listener)
    try:
        async with aclosing(Feed(listener, wish, _about(battery)).events()) as told:
            async for event in told:
                await send(event.frame)
    finally:
        await hub.leave(listener)
    return listener.code or _FAILED


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))


def _let_in(scope: Scope, wish: Wish) -> tuple[Battery, Listener]:
    """Return what a client asks for, and its listener.

    :raises Refusal: it may not listen.
    """
    caller = caller_of(scope)
    user = person_behind(caller)
    if user.role == Role.AGENT:
        raise Refusal(NOT_ALLOWED)
    try:
        battery = battery_for(battery_id=scope["url_route"]["kwargs"]["battery_id"], user=user)
    except UnknownBattery as error:
        raise Refusal(NOT_THEIRS) from error
    listening = Listening(caller, battery.pk)
    listener = Listener(listening, wish.heard_systems, is_told_alarms=True)
    listener.alarms = alarms_first_heard(listening, user, battery, now=timezone.now())
    return battery, listener


def _about(battery: Battery) -> dict[str, Any]:
    return {
        "battery": battery.battery_id,
        "name": battery.name,
        "is_simulated": battery.is_simulated,
        "windows": {name: getattr(battery, name) for name in _WINDOWS},
    }
