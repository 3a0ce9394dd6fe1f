"""Find room for a bill on one page: smaller type first, then fewer readings, then no chart, at last fewer lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from reportlab.lib.units import mm

from billing.documents.chart import chart_height
from billing.documents.content import BillDocument, DocumentLine
from energy_portal.shared.paper import fonts

HEADING, COLUMNS, RULE = 20.0, 15.0, 14.0
AFTER_TABLE = 6.0
NOTE = 11.0
_TALLEST_BARS, _USUAL_BARS, _LOWEST_BARS = 42 * mm, 26 * mm, 18 * mm
_MOST_LINES_OF_TEXT = 2


@dataclass(frozen=True)
class Type:
    """How large a table is set, in points, and how many readings it would at least show."""

    size: float
    row: float
    reads: int


_TYPES = (Type(9, 12.5, 6), Type(8, 10.5, 4), Type(7, 8.8, 2), Type(6, 7.4, 0))
_SMALLEST = Type(5.5, 6.6, 0)


@dataclass(frozen=True)
class Layout:
    """What of a bill is drawn, and how large; ``bars`` 0 is no chart."""

    type: Type
    lines: int
    reads: int
    bars: float


def described(description: str, size: float, width: float) -> str:
    """Break a line's description into at most two lines of text, the last one cut where it is too long."""
    pieces = list(fonts.wrap(description, size, width))
    if len(pieces) > _MOST_LINES_OF_TEXT:
        pieces = [*pieces[: _MOST_LINES_OF_TEXT - 1], " ".join(pieces[_MOST_LINES_OF_TEXT - 1 :])]
    return "\n".join(fonts.fit(piece, size, width) for piece in pieces)


def lay_out(bill: BillDocument, *, room: float, reads: int, description_width: float) -> Layout:
    """Choose what is drawn of a bill within ``room`` points of height.

    :param reads: how many readings there are.
    """
    page = _Page(bill, room, reads, description_width, [line for line in bill.lines if line.kind != "tax"])
    for type_ in _TYPES:
        for bars in (_USUAL_BARS, _LOWEST_BARS):
            if page.fits(type_, bars, min(reads, type_.reads)):
                return page.filled(type_, bars)
    for type_ in (*_TYPES[-1:], _SMALLEST):
        if page.fits(type_, 0, 0):
            return Layout(type_, len(page.charges), 0, 0)
    return page.cut(_SMALLEST)


@dataclass(frozen=True)
class _Page:
    bill: BillDocument
    room: float
    reads: int
    description_width: float
    charges: Sequence[DocumentLine]
    rows: dict[float, list[int]] = field(default_factory=dict)

    def fits(self, type_: Type, bars: float, reads: int) -> bool:
        return self.height(type_, bars, reads) <= self.room

    def height(self, type_: Type, bars: float, reads: int) -> float:
        """Return the height of the chart, all lines, their sums and some readings."""
        chart = chart_height(self.bill, bars) if bars else 0
        return (
            chart
            + self.lines_height(type_, len(self.charges))
            + self.sums_height(type_)
            + self.reads_height(type_, reads)
        )

    def lines_height(self, type_: Type, shown: int) -> float:
        if not self.charges:
            return 0
        return HEADING + COLUMNS + sum(self.rows_of(type_.size)[:shown]) * type_.row

    def rows_of(self, size: float) -> list[int]:
        """Return how many lines of text each line takes."""
        if size not in self.rows:
            # Many lines are described alike.
            told = {line.description: 0 for line in self.charges}
            for description in told:
                told[description] = described(description, size, self.description_width).count("\n") + 1
            self.rows[size] = [told[line.description] for line in self.charges]
        return self.rows[size]

    def sums_height(self, type_: Type) -> float:
        if self.bill.total is None:
            return 0
        taxes = sum(line.kind == "tax" for line in self.bill.lines)
        return RULE + (taxes + 2) * sum_height(type_) + AFTER_TABLE

    def reads_height(self, type_: Type, shown: int) -> float:
        if not self.reads:
            return 0
        table = HEADING + COLUMNS + shown * type_.row if shown else 0
        return table + (NOTE if shown < self.reads else 0) + AFTER_TABLE

    def filled(self, type_: Type, bars: float) -> Layout:
        """Show as many readings as fit, then let the bars grow into what is left."""
        shown = self.reads
        if not self.fits(type_, bars, shown):
            left = self.room - self.height(type_, bars, 0) - HEADING - COLUMNS
            shown = min(self.reads - 1, max(0, int(left / type_.row)))
        left = self.room - self.height(type_, bars, shown)
        return Layout(type_, len(self.charges), shown, min(_TALLEST_BARS, bars + max(0, left)))

    def cut(self, type_: Type) -> Layout:
        """Show as many lines as fit above one that sums up the others."""
        left = self.room - self.sums_height(type_) - self.reads_height(type_, 0) - self.lines_height(type_, 0)
        heights = accumulate(rows * type_.row for rows in self.rows_of(type_.size))
        shown = sum(height + type_.row <= left for height in heights)
        return Layout(type_, shown, 0, 0)


def sum_height(type_: Type) -> float:
    """Return the height of one of the sums under the lines."""
    return max(type_.row, 8.8) + 0.5
