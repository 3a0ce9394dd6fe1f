"""Event streams of what a battery tells, as published."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import SessionAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.authentication import (
    DataSourceAuthentication,
    TicketAuthentication,
    TokenAuthentication,
    caller_behind,
)
from accounts.api.permissions import asking_person
from accounts.roles import Role
from meters.batteries.api.callers import MayAskOfBatteries
from meters.batteries.quantities import System
from meters.batteries.selectors.batteries import battery_for
from meters.batteries.selectors.listening import Listening
from meters.batteries.streams import Feed, Listener, Wish, hub_here, wish_of

_WHAT = """One reading an event, as published: `data:` is the JSON of exactly one, `id:` is `live-<ms>` while the
battery is heard, or `replay-<lap>-<ms>` while its history is told from the oldest reading to the newest and again from
the start. A client that comes back with `Last-Event-ID` misses nothing of the last 1,000 live readings, or goes on in
the replay where it was. A comment every few seconds keeps the connection open."""
_PARAMETERS = [
    OpenApiParameter("interval", float, default=1.0, description="Seconds between two events, from 0.1 to 3,600."),
    OpenApiParameter("mode", str, enum=["live", "replay"], description="Forces one; otherwise live while data come."),
    OpenApiParameter("last_event_id", str, description="As the header `Last-Event-ID`."),
    OpenApiParameter("ticket", str, description="Of `POST /api/v1/stream-tickets`, where no header can be sent."),
]


class MayListen(MayAskOfBatteries):
    """Admit whoever may ask of batteries, but agents, who see none."""

    message = "This is for people who see batteries, and for keys with the scope queries or batteries."
    code = "missing_role"

    def has_permission(self, request: Request, view: Any) -> bool:
        user = asking_person(request)
        return super().has_permission(request, view) and (user is None or user.role != Role.AGENT)


class AnyAccept(BaseContentNegotiation):
    """Answer whatever is accepted: a client that wants an event stream is still told in JSON what was refused."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the first parser; nothing is parsed."""
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type


class EventStreamResponse(StreamingHttpResponse):
    """An answer that stays open; whoever is done with it closes what makes its pieces, not a wrapper around that."""

    def __init__(self, chunks: AsyncGenerator[bytes, None]) -> None:
        super().__init__(chunks, content_type="text/event-stream")
        self["Cache-Control"] = "no-cache, no-store"
        self["X-Accel-Buffering"] = "no"
        self.chunks = chunks

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return self.chunks


class _StreamView(APIView):
    """A stream of one system; over HTTP/1.1 a browser opens six at most, websockets many more."""

    authentication_classes = (
        TicketAuthentication,
        DataSourceAuthentication,
        TokenAuthentication,
        SessionAuthentication,
    )
    permission_classes = (MayListen,)
    content_negotiation_class = AnyAccept
    system: ClassVar[System]
    # The head of a stream says nothing that its beginning does not.
    http_method_names = ("get", "options")

    def _stream(self, request: Request, battery_id: str) -> StreamingHttpResponse:
        wish = wish_of(
            request.query_params,
            self.system,
            last_event_id=request.headers.get("Last-Event-ID", ""),
            is_paced=True,
        )
        battery = battery_for(battery_id=battery_id, user=asking_person(request))
        listening = Listening(caller_behind(request), battery.pk)
        return EventStreamResponse(_chunks(listening, wish))


class BMSStreamView(_StreamView):
    """What the BMS tells."""

    system = System.BMS

    @extend_schema(
        operation_id="bms_stream",
        tags=["batteries"],
        summary="Stream what a BMS tells",
        description=_WHAT,
        parameters=_PARAMETERS,
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description="Events.")},
    )
    def get(self, request: Request, battery_id: str) -> StreamingHttpResponse:
        """Answer with an event stream."""
        return self._stream(request, battery_id)


class PCSStreamView(_StreamView):
    """What the PCS tells."""

    system = System.PCS

    @extend_schema(
        operation_id="pcs_stream",
        tags=["batteries"],
        summary="Stream what a PCS tells",
        description=_WHAT,
        parameters=_PARAMETERS,
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description="Events.")},
    )
    def get(self, request: Request, battery_id: str) -> StreamingHttpResponse:
        """Answer with an event stream."""
        return self._stream(request, battery_id)


async def _chunks(listening: Listening, wish: Wish) -> AsyncGenerator[bytes, None]:
    listener = Listener(listening, wish.heard_systems)
    hub = hub_here()
    await hub.join(listener)
    try:
        async with aclosing(Feed(listener, wish, {}).events()) as told:
            async for event in told:
                if event.chunk:
                    yield event.chunk
    finally:
        await hub.leave(listener)
