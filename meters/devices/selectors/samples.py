"""What a device told, page by page, wherever it lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from meters.devices.models import Device
from meters.devices.selectors.archive import SampleRow, samples_of

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class SampleList:
    """The samples of a device in ``[start, end)``, to be read page by page; costs as :func:`samples_of`."""

    ordering: ClassVar[tuple[str, ...]] = ("-time",)

    device: Device
    start: datetime | None = None
    end: datetime | None = None

    def page(self, *, limit: int, backwards: bool = False, beyond: Sequence[Any] | None = None) -> list[SampleRow]:
        """Return the newest samples, or backwards the earliest, that lie beyond one.

        :param beyond: that sample's time, an instant or as text.
        :raises ValueError: it is no time.
        """
        start, end = max(self.start or _EARLIEST, _EARLIEST), min(self.end or _LATEST, _LATEST)
        if beyond is not None:
            edge = datetime.fromisoformat(beyond[0]) if isinstance(beyond[0], str) else beyond[0]
            start, end = (max(start, edge + _INSTANT), end) if backwards else (start, min(end, edge))
        return samples_of(device_id=self.device.pk, start=start, end=end, limit=limit, newest_first=not backwards)
