"""Which device a name means: kept in memory, because every message asks."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

import numpy as np
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from numpy.typing import NDArray

from meters.devices import store
from meters.devices.models import Device, Product

_RETIRED_ASKED_EVERY_SECONDS = 2.0
# A service takes the moment of a retirement before its transaction commits.
_LONGEST_RETIREMENT = timedelta(minutes=1)
_TRIES = 3
_AT_ONCE = 5_000

Keys = NDArray[np.int64]


class Directory:
    """The keys of active devices by their names: bounded, filled ahead and on demand, by one query a batch.

    When it is full the half that came first is forgotten. A device that was retired is dropped within seconds; retired
    and unknown ones are asked for each time. A million devices take some 150 MB.
    """

    def __init__(self, capacity: int) -> None:
        """Make an empty directory.

        :param capacity: how many devices it may hold.
        """
        self._capacity = max(2, capacity)
        self._keys: dict[str, int] = {}
        self._lock = threading.Lock()
        self._earliest: int | None = None
        self._asked_at = time.monotonic()

    def keys_of(self, names: Sequence[str], *, now: datetime) -> Keys:
        """Return a key a name: negated of retired devices, 0 of unknown ones."""
        self._drop_retired(now)
        found: list[int | None] = list(map(self._keys.get, names))
        if None in found:
            self._note_earliest()
            missing = {name for name, key in zip(names, found, strict=True) if key is None and "\0" not in name}
            looked_up = store.find_devices(missing) if missing else {}
            self._keep({name: key for name, key in looked_up.items() if key > 0})
            found = [looked_up.get(name, 0) if key is None else key for name, key in zip(names, found, strict=True)]
        return np.array(found, dtype=np.int64)

    def fill(self) -> Iterator[int]:
        """Take in the active devices ahead, as far as there is room; a query a step, so that others have their turn.

        :returns: how many each step took in.
        """
        self._note_earliest()
        last = 0
        while len(self._keys) + _AT_ONCE <= self._capacity:
            part, last = store.active_devices(after=last, limit=_AT_ONCE)
            if not part:
                return
            self._keep(part)
            yield len(part)

    def forget(self) -> None:
        """Empty it."""
        self._keys = {}

    def _note_earliest(self) -> None:
        """Know which device is the first before any is held, so that a later look tells whether it still is."""
        if self._earliest is None:
            self._earliest = store.earliest_device()

    def _keep(self, keys: dict[str, int]) -> None:
        # What an open transaction sees may yet be rolled back.
        if connection.in_atomic_block:
            return
        with self._lock:
            if len(self._keys) + len(keys) > self._capacity:
                self._keys = dict(islice(self._keys.items(), self._capacity // 2, None))
            self._keys.update(keys)

    def _drop_retired(self, now: datetime) -> None:
        moment = time.monotonic()
        unasked = moment - self._asked_at
        if unasked < _RETIRED_ASKED_EVERY_SECONDS:
            return
        if self._keys:
            # Devices are never deleted but all together, as when demo data are wiped; numbers are never used again.
            earliest = store.earliest_device()
            if earliest != self._earliest:
                self._keys, self._earliest = {}, earliest
            for name in store.retired_since(now - timedelta(seconds=unasked) - _LONGEST_RETIREMENT):
                self._keys.pop(name, None)
        self._asked_at = moment


directory = Directory(settings.DEVICE_CACHE_DEVICES)
"""The one of this process."""


def create_devices(wanted: Iterable[tuple[str, str, int]]) -> None:
    """Create the devices that are still unknown, each by the data source that told of it first.

    Creators follow one another, so that nobody creates one twice and no number is wasted on one that stands.

    :param wanted: names, products as makers number them (or ""), and the data sources' keys.
    """
    by_name = {name: (product, source_id) for name, product, source_id in reversed(list(wanted)) if _is_name(name)}
    for remaining in reversed(range(_TRIES)):
        try:
            _create(by_name)
        except IntegrityError:
            # Somebody registered one of them by hand meanwhile.
            if not remaining:
                raise
        else:
            return


@transaction.atomic
def _create(by_name: dict[str, tuple[str, int]]) -> None:
    store.order_creators()
    missing = sorted(by_name.keys() - store.find_devices(by_name))
    if not missing:
        return
    products = _products({by_name[name][0] for name in missing})
    devices = Device.objects.bulk_create(
        Device(device_id=name, product_id=products.get(product), created_by_source_id=source_id)
        for name in missing
        for product, source_id in [by_name[name]]
    )
    Device.history.bulk_history_create(devices)


def _products(names: Iterable[str]) -> dict[str, int]:
    """Return the keys of products by their makers' numbers; those that are new are created."""
    known = {name for name in names if 0 < len(name) <= 64 and "\0" not in name}
    found = dict(Product.objects.filter(product_id__in=known).values_list("product_id", "id"))
    created = Product.objects.bulk_create(Product(product_id=name) for name in sorted(known - found.keys()))
    return found | {product.product_id: product.pk for product in created}


def _is_name(name: str) -> bool:
    return name.isprintable() and name == name.strip()
