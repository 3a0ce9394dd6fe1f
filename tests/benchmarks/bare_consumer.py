"""The least that Channels can do: a consumer in a group of its battery that passes on what the group is sent."""

from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

from energy_portal.embedded.worker import Ending
from tests.benchmarks.echo import application as echo


class BareConsumer(AsyncWebsocketConsumer):
    """Pass on what comes."""

    async def connect(self) -> None:
        """Let anybody in."""
        self.group = f"bare.{self.scope['url_route']['kwargs']['battery_pk']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send(text_data='{"type":"hello"}')

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def told(self, message: dict[str, Any]) -> None:
        """Send a reading."""
        await self.send(text_data=message["text"])


async def tell(battery_pks: list[int], texts: list[str]) -> None:
    """Send readings to the groups of their batteries, one message each, as Channels has it."""
    layer = get_channel_layer()
    for battery_pk, text in zip(battery_pks, texts, strict=True):
        framed = f'{{"type":"bms","mode":"live","id":"live-0","reading":{text}}}'
        await layer.group_send(f"bare.{battery_pk}", {"type": "told", "text": framed})


application = Ending(
    ProtocolTypeRouter(
        {
            "http": echo,
            "lifespan": echo,
            "websocket": URLRouter([path("ws/bare/<int:battery_pk>/", BareConsumer.as_asgi())]),
        }
    ),
    drain_seconds=1.0,
)
