"""Every path of the portal that a websocket may open."""

from typing import Any, cast

from channels.routing import URLRouter
from django.urls import re_path

from energy_portal.shared.asgi import no_such_stream
from field_ops import routing as field_ops
from meters import routing as meters
from meters.batteries import routing as batteries

websockets = URLRouter(
    [
        *meters.websockets,
        *batteries.websockets,
        *field_ops.websockets,
        re_path(r"", cast("Any", no_such_stream)),
    ]
)
