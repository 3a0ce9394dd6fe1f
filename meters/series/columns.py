"""Columns of a batch: from Python values to what PostgreSQL holds, compares and receives in binary.

A column is read once into a :class:`Vector` of exactly the values that the table will hold (rounded to the
column's scale, narrowed to its width), so that comparing a row with what stands compares like with like.
The wire formats are those of PostgreSQL's ``array_send`` and ``COPY … (FORMAT binary)``.
"""

import struct
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNIX_OFFSET = int((EPOCH - datetime(1970, 1, 1, tzinfo=UTC)) / _MICROSECOND)
_NULL = struct.pack(">i", -1)
_DIGITS_A_WORD = 4
_INT64_DIGITS = 18

Bytes = NDArray[np.uint8]


def micros_of(instant: datetime) -> int:
    """Return an aware instant as a column of times holds it: µs since 2000, UTC."""
    return (instant - EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Vector:
    """One column's values as the table holds them.

    :ivar data: n values: int64 (integers, µs since 2000, scaled decimals), float, bool or str; filler where missing.
    :ivar missing: n booleans, True where the value is NULL.
    """

    data: NDArray[Any]
    missing: NDArray[np.bool_]

    def take(self, positions: NDArray[np.intp]) -> "Vector":
        """Return the values at some positions, in that order."""
        return Vector(self.data[positions], self.missing[positions])

    def differs(self, standing: "Vector") -> NDArray[np.bool_]:
        """Tell where a value of ours is not what stands; a missing one claims nothing."""
        return ~self.missing & (standing.missing | np.asarray(self.data != standing.data, dtype=np.bool_))


Values = Collection[Any] | NDArray[Any] | Vector
"""What a column is read from; a Vector is read already."""


def held(data: NDArray[Any]) -> Vector:
    """Return values as the table holds them (see :class:`Vector`), none missing, for a column to take as they are."""
    return Vector(data, np.zeros(data.shape, dtype=np.bool_))


class Kind(ABC):
    """A type of column: how it is read, sent and given back."""

    type_name: str
    oid: int

    @abstractmethod
    def read(self, values: Collection[Any] | NDArray[Any]) -> Vector:
        """Read values, None where missing.

        :raises ValueError: a value does not fit.
        """

    @abstractmethod
    def restore(self, value: Any) -> object:
        """Turn one value of a vector's data back into a Python value."""

    @abstractmethod
    def fields(self, vector: Vector) -> list[bytes]:
        """Return each value in binary, with the length that precedes it."""

    def cells(self, vector: Vector) -> Bytes | None:
        """Return each value in binary with its length, shape (n, width); None where widths differ."""
        return None

    def array(self, vector: Vector) -> bytes:
        """Return all values as one binary array."""
        body = b"".join(self.fields(vector))
        header = struct.pack(">iiIii", 1, int(vector.missing.any()), self.oid, vector.data.size, 1)
        return header + body


class _FixedWidth(Kind):
    """A type whose values all have the same length."""

    @abstractmethod
    def _body(self, data: NDArray[Any]) -> Bytes:
        """Return n rows of the values' bytes, shape (n, width)."""

    def fields(self, vector: Vector) -> list[bytes]:
        """Return each value in binary, with the length that precedes it."""
        body = self._cells(vector.data)
        cells, width = body.tobytes(), body.shape[1]
        fields = [cells[at : at + width] for at in range(0, len(cells), width)]
        for position in np.flatnonzero(vector.missing).tolist():
            fields[position] = _NULL
        return fields

    def array(self, vector: Vector) -> bytes:
        """Return all values as one binary array, without a step a value: of a missing one only its length is left."""
        missing = vector.missing
        if missing.all():
            body = _NULL * vector.data.size
        elif not missing.any():
            body = self._cells(vector.data).tobytes()
        else:
            cells = self._cells(vector.data)
            cells[missing, :4] = 0xFF
            kept = np.ones(cells.shape, dtype=np.bool_)
            kept[missing, 4:] = False
            body = cells[kept].tobytes()
        return struct.pack(">iiIii", 1, int(missing.any()), self.oid, vector.data.size, 1) + body

    def cells(self, vector: Vector) -> Bytes | None:
        """Return each value in binary with its length, shape (n, width); None where one is missing."""
        return None if vector.missing.any() else self._cells(vector.data)

    def _cells(self, data: NDArray[Any]) -> Bytes:
        body = self._body(data)
        size, width = body.shape
        cells = np.empty((size, 4 + width), dtype=np.uint8)
        cells[:, :4] = np.frombuffer(struct.pack(">i", width), dtype=np.uint8)
        cells[:, 4:] = body
        return cells


class IntegerKind(_FixedWidth):
    """smallint, integer and bigint."""

    def __init__(self, width: int) -> None:
        self.type_name, self.oid = {2: ("int2", 21), 4: ("int4", 23), 8: ("int8", 20)}[width]
        self._width = width
        self._limit = 2 ** (8 * width - 1)

    def read(self, values: Collection[Any] | NDArray[Any]) -> Vector:
        """Read whole numbers."""
        data = np.asarray(values)
        missing = np.zeros(data.shape, dtype=np.bool_)
        if data.dtype == object:
            missing = np.array([value is None for value in values], dtype=np.bool_)
            data = np.asarray([0 if value is None else value for value in values])
        if data.size and data.dtype.kind not in "iu":
            raise ValueError("not a whole number")
        if data.size and not (-self._limit <= int(data.min()) and int(data.max()) < self._limit):
            raise ValueError(f"out of the range of {self.type_name}")
        return Vector(data.astype(np.int64), missing)

    def restore(self, value: Any) -> int:
        """Return an int."""
        return int(value)

    def _body(self, data: NDArray[Any]) -> Bytes:
        return data.astype(f">i{self._width}").view(np.uint8).reshape(data.size, self._width)


class FloatKind(_FixedWidth):
    """real and double precision; NaN stands for a missing value."""

    def __init__(self, width: int) -> None:
        self.type_name, self.oid = {4: ("float4", 700), 8: ("float8", 701)}[width]
        self._width = width

    def read(self, values: Collection[Any] | NDArray[Any]) -> Vector:
        """Read numbers, rounded to the column's width."""
        try:
            data = np.asarray(values, dtype=np.float64)
        except (TypeError, OverflowError) as error:
            raise ValueError("not a number") from error
        with np.errstate(over="ignore", under="ignore"):
            data = data.astype(f"f{self._width}")
        if np.isinf(data).any():
            raise ValueError(f"out of the range of {self.type_name}")
        missing = np.isnan(data)
        return Vector(np.where(missing, data.dtype.type(0), data), missing)

    def restore(self, value: Any) -> float:
        """Return a float."""
        return float(value)

    def _body(self, data: NDArray[Any]) -> Bytes:
        return data.astype(f">f{self._width}").view(np.uint8).reshape(data.size, self._width)


class BooleanKind(_FixedWidth):
    """boolean."""

    type_name, oid = "bool", 16

    def read(self, values: Collection[Any] | NDArray[Any]) -> Vector:
        """Read booleans."""
        missing = np.array([value is None for value in values], dtype=np.bool_)
        data = np.asarray([False if value is None else value for value in values])
        if data.size and data.dtype != np.bool_:
            raise ValueError("not a boolean")
        return Vector(data.astype(np.bool_), missing)

    def restore(self, value: Any) -> bool:
        """Return a bool."""
        return bool(value)

    def _body(self, data: NDArray[Any]) -> Bytes:
        return data.astype(np.uint8).reshape(data.size, 1)


class NumericKind(_FixedWidth):
    """numeric with a precision and a scale: held as integers of the last decimal place."""

    type_name, oid = "numeric", 1700

    def __init__(self, precision: int, scale: int) -> None:
        """Describe the type.

        :raises ValueError: its values do not fit 64 bits once their decimals fill whole words of four digits.
        """
        self.precision, self.scale = precision, scale
        self._decimal_words = -(-scale // _DIGITS_A_WORD)
        self._padding = 10 ** (self._decimal_words * _DIGITS_A_WORD - scale)
        if precision - scale + self._decimal_words * _DIGITS_A_WORD > _INT64_DIGITS:
            raise ValueError(f"numeric({precision}, {scale}) is too wide for a series")
        self._whole_words = -(-(precision - scale) // _DIGITS_A_WORD)
        self._place = Decimal(1).scaleb(-scale)
        self._context = Context(prec=precision, rounding=ROUND_HALF_UP)

    def read(self, values: Collection[Any] | NDArray[Any]) -> Vector:
        """Read decimals and whole numbers, rounded half away from zero as PostgreSQL does."""
        quantize, place, scale = self._context.quantize, self._place, self.scale
        values = values.tolist() if isinstance(values, np.ndarray) else values
        missing = np.array([value is None for value in values], dtype=np.bool_)
        try:
            scaled = [0 if value is None else int(quantize(value, place).scaleb(scale)) for value in values]
        except InvalidOperation as error:
            raise ValueError("out of the range of its column") from error
        except (TypeError, OverflowError, ValueError) as error:
            raise ValueError("not a finite Decimal") from error
        return Vector(np.array(scaled, dtype=np.int64), missing)

    def restore(self, value: Any) -> Decimal:
        """Return a Decimal of the column's scale."""
        return Decimal(int(value)).scaleb(-self.scale)

    def _body(self, data: NDArray[Any]) -> Bytes:
        """Write base-10,000 words as ``numeric_send`` does; the receiver strips leading and trailing zeros."""
        words = self._whole_words + self._decimal_words
        cells = np.empty((data.size, 4 + words), dtype=">i2")
        cells[:, 0], cells[:, 1], cells[:, 3] = words, self._whole_words - 1, self.scale
        cells[:, 2] = np.where(data < 0, 0x4000, 0)
        rest = np.abs(data) * self._padding
        for word in range(words):
            cells[:, 3 + words - word] = rest % 10**_DIGITS_A_WORD
            rest //= 10**_DIGITS_A_WORD
        return cells.view(np.uint8).reshape(data.size, 2 * (4 + words))


class TimeKind(_FixedWidth):
    """timestamptz: held as microseconds since 2000 in UTC."""

    type_name, oid = "timestamptz", 1184

    def read(self, values: Collection[Any] | NDArray[Any]) -> Vector:
        """Read aware datetimes, or a datetime64 array in UTC."""
        if isinstance(values, np.ndarray) and values.dtype.kind == "M":
            missing = np.isnat(values)
            micros = values.astype("datetime64[us]").astype(np.int64)
            return Vector(np.where(missing, 0, micros - _UNIX_OFFSET), missing)
        missing = np.array([value is None for value in values], dtype=np.bool_)
        try:
            held = [0 if value is None else (value - EPOCH) // _MICROSECOND for value in values]
        except TypeError as error:
            raise ValueError("not a time with its zone") from error
        return Vector(np.array(held, dtype=np.int64), missing)

    def restore(self, value: Any) -> datetime:
        """Return an aware datetime in UTC."""
        return EPOCH + int(value) * _MICROSECOND

    def months(self, data: NDArray[np.int64]) -> NDArray[Any]:
        """Return the distinct UTC months of some times, as datetime64[M], in order."""
        return np.unique((data + _UNIX_OFFSET).astype("datetime64[us]").astype("datetime64[M]"))

    def days(self, data: NDArray[np.int64]) -> NDArray[Any]:
        """Return the distinct UTC days of some times, as datetime64[D], in order."""
        return np.unique((data + _UNIX_OFFSET).astype("datetime64[us]").astype("datetime64[D]"))

    def _body(self, data: NDArray[Any]) -> Bytes:
        return data.astype(">i8").view(np.uint8).reshape(data.size, 8)


class TextKind(Kind):
    """text and varchar."""

    type_name, oid = "text", 25

    def read(self, values: Collection[Any] | NDArray[Any]) -> Vector:
        """Read strings that PostgreSQL can hold."""
        missing = np.array([value is None for value in values], dtype=np.bool_)
        data = np.empty(len(values), dtype=object)
        data[:] = ["" if value is None else value for value in values]
        for value in data:
            if not isinstance(value, str):
                raise ValueError("not a text")  # noqa: TRY004 one type a refusal
            if "\x00" in value:
                raise ValueError("holds a NUL character")
            value.encode()
        return Vector(data, missing)

    def restore(self, value: Any) -> str:
        """Return a str."""
        return str(value)

    def fields(self, vector: Vector) -> list[bytes]:
        """Return each value in binary, with the length that precedes it."""
        texts: Sequence[bytes] = [value.encode() for value in vector.data]
        return [
            _NULL if missing else struct.pack(">i", len(text)) + text
            for text, missing in zip(texts, vector.missing.tolist(), strict=True)
        ]
