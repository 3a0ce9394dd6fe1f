"""Which format a file has, and its records whichever it is."""

from collections.abc import Mapping
from enum import StrEnum
from typing import BinaryIO

from meters.formats.csv_files import Stamps, read_csv
from meters.formats.green_button import read_green_button
from meters.formats.nem import read_nem
from meters.formats.records import Records

_BOM = b"\xef\xbb\xbf"
_PEEK_BYTES = 4_096
_NEM_RECORDS = frozenset({b"100", b"200", b"250"})


class FileFormat(StrEnum):
    """The formats of files of readings; NEM12 takes in NEM13."""

    CSV = "csv"
    NEM12 = "nem12"
    GREEN_BUTTON = "greenbutton"


def detect(file: BinaryIO) -> FileFormat:
    """Tell the format of a file by how it begins; what looks like no other is a table.

    :param file: seekable; it stands afterwards where it stood before.
    """
    place = file.tell()
    begin = file.read(_PEEK_BYTES).removeprefix(_BOM).lstrip()
    file.seek(place)
    if begin.startswith(b"<"):
        return FileFormat.GREEN_BUTTON
    return FileFormat.NEM12 if begin.split(b",", 1)[0].strip(b'" ') in _NEM_RECORDS else FileFormat.CSV


def read(
    file: BinaryIO,
    file_format: FileFormat,
    *,
    stamps: Stamps,
    mapping: Mapping[str, str] | None = None,
    default_serial: str = "",
) -> Records:
    """Yield a file's records, in its order.

    :param stamps: how a table writes its times; the other formats say so themselves.
    :param mapping: a table's columns under their own names.
    :param default_serial: the meter where a table or a Green Button file names none.
    """
    if file_format is FileFormat.NEM12:
        return read_nem(file)
    if file_format is FileFormat.GREEN_BUTTON:
        return read_green_button(file, default_serial=default_serial)
    return read_csv(file, stamps=stamps, mapping=mapping, default_serial=default_serial)
