"""What codes mean, at hand in memory and never older than seconds."""

import time

from django.db import connection

from meters.devices.decoding import Mappings, Target
from meters.devices.models import PropertyMapping

_FRESH_SECONDS = 3.0
_held: list[tuple[float, Mappings]] = []


def mappings() -> Mappings:
    """Return what codes mean: one query when the last look is seconds old, otherwise none."""
    held = held_mappings()
    return read_mappings() if held is None else held


def held_mappings(longest_seconds: float = _FRESH_SECONDS) -> Mappings | None:
    """Return what this process knows, None where it is older than it may be."""
    if _held and time.monotonic() - _held[0][0] < longest_seconds:
        return _held[0][1]
    return None


def read_mappings() -> Mappings:
    """Read what codes mean, and keep it unless an open transaction might take it back."""
    moment = time.monotonic()
    default: dict[str, Target] = {}
    own: dict[str, dict[str, Target]] = {}
    rows = PropertyMapping.objects.values_list("product__product_id", "code", "quantity", "factor")
    for product, code, quantity, factor in rows:
        targets = default if product is None else own.setdefault(product, {})
        targets[code] = Target.of(quantity, factor)
    read = Mappings(default, {product: {**default, **targets} for product, targets in own.items()})
    if not connection.in_atomic_block:
        _held[:] = [(moment, read)]
    return read


def forget_mappings() -> None:
    """Look again at the next call."""
    _held.clear()
