"""Which formats files of readings go out in."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum

from meters.formats.csv_files import write_csv
from meters.formats.green_button_out import flow_of, write_green_button
from meters.formats.nem_out import configuration_of, write_nem12
from meters.formats.parquet_out import write_parquet
from meters.formats.records import FileReading


class ExportFormat(StrEnum):
    """The formats that files go out in: tables of what registers hold, and market formats of half-hours."""

    CSV = "csv"
    PARQUET = "parquet"
    NEM12 = "nem12"
    GREEN_BUTTON = "greenbutton"

    @property
    def is_table(self) -> bool:
        """Tell whether it holds dials as they showed; otherwise it holds energy by half-hours alone."""
        return self in {ExportFormat.CSV, ExportFormat.PARQUET}

    @property
    def suffix(self) -> str:
        """How a file's name ends, without the dot before it."""
        return {"nem12": "nem12.csv", "greenbutton": "xml"}.get(self.value, self.value)


def check_registers(codes: Collection[str], file_format: ExportFormat) -> None:
    """Make sure that a format can hold the registers of a meter, side by side.

    :raises Unreadable: it cannot.
    """
    for code in codes:
        if file_format is ExportFormat.NEM12:
            configuration_of(code, codes)
        elif file_format is ExportFormat.GREEN_BUTTON:
            flow_of(code)


def write(
    readings: Iterable[FileReading],
    file_format: ExportFormat,
    *,
    made_at: datetime,
    registers: Mapping[str, Collection[str]] | None = None,
) -> Iterator[bytes]:
    """Yield a file in chunks.

    :param readings: sorted by meter, register and time.
    :param registers: the codes that readings of a meter have, which NEM12 needs to know ahead.
    :raises Unreadable: while the chunks are read, what the format cannot hold.
    """
    if file_format is ExportFormat.CSV:
        return write_csv(readings)
    if file_format is ExportFormat.PARQUET:
        return write_parquet(readings)
    if file_format is ExportFormat.NEM12:
        return write_nem12(readings, made_at=made_at, registers=registers)
    return write_green_button(readings, made_at=made_at)
