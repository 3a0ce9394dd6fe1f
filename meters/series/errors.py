"""What the series engine refuses, one type a reason."""

from datetime import datetime

from energy_portal.shared.errors import Invalid, Unavailable


class UnsupportedColumn(TypeError):
    """A model has a field that no series can hold."""


class BadValue(Invalid):
    """A value of a batch does not fit its column; nothing of the batch was written.

    :ivar column: the column's name.
    """

    code = "bad_value"

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column = column


class OutsideAcceptance(Invalid):
    """A time lies below the acceptance floor or above the ceiling, so no partition is made for it."""

    code = "outside_acceptance"

    def __init__(self, time: datetime, floor: datetime, ceiling: datetime) -> None:
        super().__init__(f"{time.isoformat()} is not between {floor.isoformat()} and {ceiling.isoformat()}")
        self.time = time
        self.floor = floor
        self.ceiling = ceiling


class MissingPartition(Unavailable):
    """A row's month has no partition; make it before the batch."""


class ArchiveDamaged(Unavailable):
    """A file of the archive is missing, cannot be read, or does not hold what it should."""

    code = "archive_damaged"


class ArchiveMoved(ArchiveDamaged):
    """A file was taken back into the database, or replaced, since one was told of it; look again."""


class SeriesBusy(Unavailable):
    """The series or a part of it could not be held in time; nothing was changed, try again."""

    code = "series_busy"


class RowsVanished(Unavailable):
    """Rows that stood in the way of an insert were deleted before they could be read; write again."""


class WriterUnavailable(Unavailable):
    """Nothing was acknowledged; the caller may send the same rows again."""

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail, retry_after_seconds=retry_after)

    @property
    def retry_after(self) -> int:
        """Tell the whole seconds after which another try is worth while, at least one."""
        return self.retry_after_seconds


class QueueFull(WriterUnavailable):
    """More rows wait for their commit than the queue may hold."""


class WriterClosed(WriterUnavailable):
    """The writer drains or has drained, as a process does before it ends."""
