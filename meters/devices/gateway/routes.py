"""Where messages of other subjects than devices go: apps that devices know nothing of add themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Route:
    """What is done with the messages below ``{prefix}/{subject}/{name}/{kind}``.

    :ivar kinds: what is subscribed to.
    :ivar understand: turns the name, the kind and the payload of a message into what is stored, and how many pieces
        of it were malformed; raises ``Invalid``, ``ValueError``, ``KeyError`` or ``msgspec.MsgspecError`` where
        nothing can be understood.
    :ivar store: commits what the messages of a batch hold, idempotent; returns an outcome each.
    """

    kinds: tuple[str, ...]
    understand: Callable[[str, str, bytes], tuple[list[Any], int]]
    store: Callable[[Sequence[Any]], Sequence[str]]


_routes: dict[str, Route] = {}


def add_route(subject: str, route: Route) -> None:
    """Have a gateway take the messages of a subject from its next start on."""
    _routes[subject] = route


def routes() -> dict[str, Route]:
    """Return the routes by their subjects."""
    return dict(_routes)
