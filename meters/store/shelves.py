"""Where the archived partitions of a series stand recorded, and how they and their files are called."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models

from energy_portal.shared.clock import YearMonth
from meters.models import ArchivedMonth
from meters.series.archive_files import Manifest
from meters.series.partitions import Partition
from meters.series.spec import SeriesSpec
from meters.store.registers import REGISTER_READINGS


def archive_folder() -> Path:
    """Return the folder of the archive."""
    return Path(settings.ARCHIVE_DIR)


@dataclass(frozen=True, slots=True)
class Part:
    """An archived partition, holding the times in [low, high).

    :ivar row: its record, which is deleted when the partition comes back.
    :ivar path: of its file, below the archive's folder.
    :ivar sha256: of the file; ``digest`` is that of its rows.
    """

    row: models.Model
    low: datetime
    high: datetime
    revision: int
    path: str
    rows: int
    bytes: int
    sha256: str
    digest: str

    @property
    def file(self) -> Path:
        """Return where its file is."""
        return archive_folder() / self.path


class Shelf(ABC):
    """The archive of one series.

    :cvar noun: what one partition is: a month or a day.
    :cvar pattern: how its start (UTC) names it.
    :cvar longest_wait: how long writers of the series may be held up by one try to have it alone.
    """

    spec: ClassVar[SeriesSpec]
    noun: ClassVar[str]
    pattern: ClassVar[str]
    longest_wait: ClassVar[str] = "500ms"

    @property
    def run_lock(self) -> str:
        """Name the lock that a run holds."""
        return f"archive run of {self.spec.table}"

    def label(self, low: datetime) -> str:
        """Name a partition by its start, such as 2025-02 or 2025-02-01."""
        return f"{low.astimezone(UTC):{self.pattern}}"

    def file_name(self, low: datetime, revision: int) -> str:
        """Name the file of a partition's revision below the archive's folder."""
        return f"{self.spec.table}/{self.label(low)}-r{revision}.parquet"

    @abstractmethod
    def start_of(self, label: str) -> datetime:
        """Return the start of the partition that a label names.

        :raises Invalid: it names none.
        """

    @abstractmethod
    def parts(self, lows: Collection[datetime] | None = None) -> list[Part]:
        """Return the archived partitions, or those with some starts, the earliest first. One short query."""

    @abstractmethod
    def record(self, partition: Partition, manifest: Manifest, *, revision: int, now: datetime) -> models.Model:
        """Record that a partition lies in its file."""


class _MonthShelf(Shelf):
    spec, noun, pattern = REGISTER_READINGS, "month", "%Y-%m"

    def start_of(self, label: str) -> datetime:
        return datetime.combine(YearMonth.parse(label).first_day, datetime.min.time(), UTC)

    def parts(self, lows: Collection[datetime] | None = None) -> list[Part]:
        rows = ArchivedMonth.objects.filter(table=self.spec.table).order_by("low")
        if lows is not None:
            rows = rows.filter(low__in=lows)
        return [
            Part(
                row=row,
                low=row.low.astimezone(UTC),
                high=row.high.astimezone(UTC),
                revision=row.revision,
                path=row.path,
                rows=row.rows,
                bytes=int(row.manifest.get("bytes", 0)),
                sha256=row.digest,
                digest=row.manifest["digest"],
            )
            for row in rows
        ]

    def record(self, partition: Partition, manifest: Manifest, *, revision: int, now: datetime) -> models.Model:
        return ArchivedMonth.objects.create(
            table=self.spec.table,
            low=partition.start,
            high=partition.end,
            path=self.file_name(partition.start, revision),
            rows=manifest.rows,
            digest=manifest.sha256,
            manifest=manifest.as_json(),
            revision=revision,
            archived_at=now,
        )


MONTHLY_READINGS = _MonthShelf()
