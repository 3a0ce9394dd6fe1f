"""Websockets of batteries."""

from typing import Any, cast

from channels.sessions import CookieMiddleware
from django.urls import path

from meters.batteries.consumers import battery_socket

# The session's middleware would look at every message that goes out; its key is all that is needed.
websockets = [path("ws/batteries/<str:battery_id>/", cast("Any", CookieMiddleware(battery_socket)))]
