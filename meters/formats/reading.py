"""Which format a file has, and its records whichever it is."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import BinaryIO, cast

from energy_portal.shared.errors import DomainError
from meters.formats.csv_files import ANY_LAYOUT, read_csv
from meters.formats.green_button import read_green_button
from meters.formats.half_hours import half_hourly
from meters.formats.layout import Layout, Stamps
from meters.formats.nem import read_nem
from meters.formats.records import FileFault, Records, Unreadable

_BOM = b"\xef\xbb\xbf"
_PEEK_BYTES = 4_096
_NEM_RECORDS = frozenset({b"100", b"200", b"250"})
# What a few kilobytes may be blown up to: more than any file of readings, less than a disk.
MOST_UNPACKED_BYTES = 1 << 30
_DAMAGED = (EOFError, OSError, zlib.error)


class FileFormat(StrEnum):
    """The formats of files of readings; NEM12 takes in NEM13."""

    CSV = "csv"
    NEM12 = "nem12"
    GREEN_BUTTON = "greenbutton"


@contextmanager
def unpacked(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Give a file as it is, or what is packed in it where its name ends with ``.gz``.

    :raises Unreadable: while it is read, more is packed in it than any file of readings holds.
    """
    if not name.casefold().endswith(".gz"):
        yield file
        return
    with _Packed(fileobj=file, mode="rb") as unpacked_file:
        yield cast("BinaryIO", unpacked_file)


class _Packed(gzip.GzipFile):
    """A packed file that is no bomb."""

    def read(self, size: int | None = -1) -> bytes:
        return self._bounded(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._bounded(super().read1(size))

    def _bounded(self, piece: bytes) -> bytes:
        if self.tell() > MOST_UNPACKED_BYTES:
            raise Unreadable("Too much is packed in the file.", code="file_too_large")
        return piece


def detect(file: BinaryIO) -> FileFormat:
    """Tell the format of a file by how it begins; what looks like no other is a table.

    :param file: seekable; it stands afterwards where it stood before.
    :raises Unreadable: it is packed, and damaged.
    """
    place = file.tell()
    try:
        begin = file.read(_PEEK_BYTES).removeprefix(_BOM).lstrip()
    except _DAMAGED as error:
        raise Unreadable(f"The file cannot be read: {error}.", code="damaged_file") from error
    file.seek(place)
    if begin.startswith(b"<"):
        return FileFormat.GREEN_BUTTON
    return FileFormat.NEM12 if begin.split(b",", 1)[0].strip(b'" ') in _NEM_RECORDS else FileFormat.CSV


def read(
    file: BinaryIO,
    file_format: FileFormat,
    *,
    stamps: Stamps,
    layout: Layout = ANY_LAYOUT,
    columns: bool = False,
) -> Records:
    """Yield a file's records, in its order; intervals that are shorter than a half-hour are summed into half-hours.

    :param stamps: how a table writes its times; the other formats say so themselves.
    :param layout: what a table holds; a Green Button file heeds its meter alone, a NEM file nothing of it.
    :param columns: yield a table's rows of dials many at a time, see :func:`read_csv`.
    """
    if file_format is FileFormat.NEM12:
        records = read_nem(file)
    elif file_format is FileFormat.GREEN_BUTTON:
        records = read_green_button(file, default_serial=layout.serial)
    else:
        records = read_csv(file, stamps=stamps, layout=layout, columns=columns)
    return half_hourly(_to_the_end(records), zone=stamps.zone)


def _to_the_end(records: Records) -> Records:
    """Yield records; what breaks a file off in its midst is one more fault, of the line after the last good one."""
    line = 0
    try:
        for record in records:
            line = record.line
            yield record
    except DomainError as error:
        yield FileFault.of(line + 1, error)
    except _DAMAGED as error:
        yield FileFault(line + 1, "damaged_file", f"The file cannot be read further: {error}.")
