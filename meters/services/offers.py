"""Readings as somebody offers them, row by row or as columns, not yet trusted in any part."""

from collections.abc import Sequence
from dataclasses import dataclass

USUAL_CODE = "1.8.0"


@dataclass(frozen=True, slots=True)
class OfferedReading:
    """A reading as somebody offers it.

    ``timestamp`` is ISO text or a datetime; naive means the source's zone or, without one, the premises'. ``quality``
    is Green Button's, validated where none is given; ``unit``, where given, must be the register's.
    """

    meter_id: object
    timestamp: object
    value: object
    register_code: object = USUAL_CODE
    quality: object = None
    unit: object = None


@dataclass(frozen=True)
class Offer:
    """A batch of n offered readings as columns of n; a column that is left out is the default in every row."""

    meter_ids: Sequence[object]
    timestamps: Sequence[object]
    values: Sequence[object]
    register_codes: Sequence[object] | None = None
    qualities: Sequence[object] | None = None
    units: Sequence[object] | None = None

    @classmethod
    def of(cls, readings: Sequence[OfferedReading]) -> "Offer":
        """Return rows as columns."""
        return cls(
            [each.meter_id for each in readings],
            [each.timestamp for each in readings],
            [each.value for each in readings],
            [each.register_code for each in readings],
            [each.quality for each in readings],
            [each.unit for each in readings],
        )

    def __len__(self) -> int:
        return len(self.values)

    def row(self, index: int) -> OfferedReading:
        """Return one row."""
        return OfferedReading(
            self.meter_ids[index],
            self.timestamps[index],
            self.values[index],
            USUAL_CODE if self.register_codes is None else self.register_codes[index],
            None if self.qualities is None else self.qualities[index],
            None if self.units is None else self.units[index],
        )


@dataclass(frozen=True)
class Rejection:
    """Why one row, by its index in the batch, did not enter."""

    index: int
    code: str
    detail: str
