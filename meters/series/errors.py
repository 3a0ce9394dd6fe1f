"""What the series engine refuses, one type a reason."""

from datetime import datetime


class SeriesError(Exception):
    """Any refusal of the series engine."""


class UnsupportedColumn(SeriesError):
    """A model's field has a type that no series can hold."""


class BadValue(SeriesError):
    """A value of a batch does not fit its column; nothing of the batch was written."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.reason = reason


class OutsideAcceptance(SeriesError):
    """A time lies below the acceptance floor or above the ceiling, so no partition is made for it."""

    def __init__(self, time: datetime, floor: datetime, ceiling: datetime) -> None:
        super().__init__(f"{time.isoformat()} is not between {floor.isoformat()} and {ceiling.isoformat()}")
        self.time = time
        self.floor = floor
        self.ceiling = ceiling


class MissingPartition(SeriesError):
    """A row's month has no partition; make it before the batch."""


class RowsVanished(SeriesError):
    """Rows that stood in the way of an insert were deleted before they could be read; write again."""


class WriterUnavailable(SeriesError):
    """Nothing was acknowledged; the caller may send the same rows again.

    :ivar retry_after: whole seconds after which another try is worth while, at least one.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueFull(WriterUnavailable):
    """More rows wait for their commit than the queue may hold."""


class WriterClosed(WriterUnavailable):
    """The writer drains or has drained, as a process does before it ends."""
