"""What a device told, page by page, wherever it lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from meters.devices.selectors.archive import SampleRow, samples_of

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class SampleList:
    """What a device told in ``[start, end)``, the newest first.

    A page is a stretch of each day's key, and some milliseconds for each archived day of the period.

    :ivar device_id: the device's primary key.
    """

    ordering: ClassVar[tuple[str, ...]] = ("-time",)

    device_id: int
    start: datetime
    end: datetime

    def page(self, *, limit: int, backwards: bool = False, beyond: Sequence[Any] | None = None) -> list[SampleRow]:
        """Return the newest samples, or backwards the earliest, that lie beyond one.

        :param beyond: that sample's time, an instant or as text.
        :raises ValueError: it is no time.
        """
        start, end = self.start, self.end
        if beyond is not None:
            edge = datetime.fromisoformat(beyond[0]) if isinstance(beyond[0], str) else beyond[0]
            start, end = (max(start, edge + _INSTANT), end) if backwards else (start, min(end, edge))
        return samples_of(device_id=self.device_id, start=start, end=end, limit=limit, newest_first=not backwards)
