"""A batch of rows, in the order of its keys and grouped by them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from meters.series.columns import Values, Vector
from meters.series.errors import BadValue
from meters.series.spec import Column, SeriesSpec

Columns = Mapping[str, Values]
"""Values by column name: n each, None where missing. Columns with a default in the database may be left out."""

Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Batch:
    """n rows with m distinct keys, sorted by (owner, time), rows of one key in the order they came.

    :ivar identity: those of the series' identity columns that the batch has.
    :ivar vectors: n values a column.
    :ivar positions: n places that the rows had in the batch as it came.
    :ivar starts: m rows that are the first of their key.
    :ivar group: n numbers of the rows' keys, 0 to m - 1.
    """

    spec: SeriesSpec
    columns: tuple[Column, ...]
    identity: tuple[Column, ...]
    vectors: dict[str, Vector]
    positions: Positions
    starts: Positions
    group: Positions

    @classmethod
    def read(cls, spec: SeriesSpec, rows: Columns) -> "Batch":
        """Read, sort and group rows.

        Where rows join, identity columns that may be missing may be left out, but not all of them.

        :raises BadValue: a value does not fit its column, or columns differ in length.
        """
        identity = tuple(column for column in spec.identity if column.name in rows)
        may_lack = {column.name for column in spec.identity if column.nullable} if spec.joins and identity else set()
        needed = {column.name for column in (spec.owner, spec.time, *spec.identity)} - may_lack
        for name in needed - rows.keys():
            raise BadValue(name, "missing")
        for name in rows.keys() - spec.columns.keys():
            raise BadValue(name, "not a column of the series")
        key = (spec.owner.name, spec.time.name)
        columns = tuple(spec.columns[name] for name in sorted(rows, key=list(spec.columns).index))
        unsorted = {column.name: column.read(rows[column.name]) for column in columns}
        owners, times = (unsorted[name].data for name in key)
        for name, vector in unsorted.items():
            if vector.data.shape != owners.shape or owners.ndim != 1:
                raise BadValue(name, "has another number of values")
        positions = np.lexsort((times, owners))
        vectors = {name: vector.take(positions) for name, vector in unsorted.items()}
        owners, times = (vectors[name].data for name in key)
        begins = np.ones(owners.size, dtype=np.bool_)
        begins[1:] = (owners[1:] != owners[:-1]) | (times[1:] != times[:-1])
        return cls(spec, columns, identity, vectors, positions, np.flatnonzero(begins), np.cumsum(begins) - 1)

    @property
    def size(self) -> int:
        """Count the rows."""
        return self.positions.size

    @property
    def groups(self) -> int:
        """Count the distinct keys."""
        return self.starts.size

    def proposed(self, name: str) -> Vector:
        """Return the value that each key would hold if it were new, m values, a copy."""
        return self.vectors[name].take(self._chosen.get(name, self.starts))

    def groups_of(self, owners: Vector, times: Vector) -> Positions:
        """Return the numbers of some of the batch's keys."""
        keys = zip(owners.data.tolist(), times.data.tolist(), strict=True)
        return np.array([self._numbers[key] for key in keys], dtype=np.intp)

    @cached_property
    def contributes(self) -> NDArray[np.bool_]:
        """Tell of each row whether its key would hold a value of it."""
        contributes = np.zeros(self.size, dtype=np.bool_)
        if not self._chosen:
            contributes[self.starts] = True
            return contributes
        empty = np.ones(self.groups, dtype=np.bool_)
        for name, chosen in self._chosen.items():
            present = ~self.vectors[name].missing[chosen]
            contributes[chosen[present]] = True
            empty &= ~present
        contributes[self.starts[empty]] = True
        return contributes

    @cached_property
    def _chosen(self) -> dict[str, Positions]:
        """Return, for each column in which rows join, the first row of each key that has a value."""
        if not self.spec.joins:
            return {}
        rows = np.arange(self.size)
        chosen = {}
        for column in self.identity:
            present = np.where(self.vectors[column.name].missing, self.size, rows)
            first = np.minimum.reduceat(present, self.starts) if self.size else self.starts
            chosen[column.name] = np.where(first < self.size, first, self.starts)
        return chosen

    @cached_property
    def _numbers(self) -> dict[tuple[int, int], int]:
        owners, times = (
            self.vectors[column.name].data[self.starts].tolist() for column in (self.spec.owner, self.spec.time)
        )
        return {key: number for number, key in enumerate(zip(owners, times, strict=True))}
