"""A page that is filled from the top: text, tables, bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reportlab.lib.colors import Color, HexColor
from reportlab.pdfgen.canvas import Canvas

from energy_portal.shared.paper import fonts

ACCENT, TEXT, MUTED, LINE = (HexColor(code) for code in ("#0e7490", "#0f172a", "#475569", "#e2e8f0"))
_PALE = HexColor("#ecfeff")
ROW_HEIGHT = 12.5
_SMALLEST_BAR = 0.6


@dataclass(frozen=True)
class Column:
    """A table's column; ``x`` is from the left margin, the right edge of what is aligned right, in points."""

    name: str
    x: float
    align: Literal["left", "right"]


class Sheet:
    """A canvas with margins and the height, in points, at which the next thing is drawn."""

    def __init__(self, canvas: Canvas, *, left: float, right: float, y: float) -> None:
        self.canvas, self.left, self.right, self.y = canvas, left, right, y

    def down(self, points: float) -> None:
        """Go down the page."""
        self.y -= points

    def text(
        self,
        text: str,
        *,
        size: float,
        bold: bool = False,
        colour: Color = TEXT,
        x: float | None = None,
        align: Literal["left", "right"] = "left",
        limit: float | None = None,
    ) -> None:
        """Draw one line of text at this height, from ``x`` or up to it; cut at ``limit`` points."""
        shown = text if limit is None else fonts.fit(text, size, limit, bold=bold)
        start = (self.left if align == "left" else self.right) if x is None else x
        if align == "right":
            start -= fonts.width(shown, size, bold=bold)
        line = self.canvas.beginText(start, self.y)
        line.setFillColor(colour)
        for run in fonts.runs(shown, bold=bold):
            line.setFont(run.font, size)
            line.textOut(run.text)
        self.canvas.drawText(line)

    def rule(self) -> None:
        """Draw a line across the page."""
        self.canvas.setStrokeColor(LINE)
        self.canvas.setLineWidth(0.8)
        self.canvas.line(self.left, self.y, self.right, self.y)

    def band(self, height: float) -> None:
        """Shade the page from this height down."""
        self.canvas.setFillColor(_PALE)
        self.canvas.roundRect(self.left, self.y - height, self.right - self.left, height, 6, stroke=0, fill=1)

    def heading(self, text: str) -> None:
        """Head what follows."""
        self.down(6)
        self.text(text, size=10.5, bold=True, colour=ACCENT)
        self.down(14)

    def columns(self, columns: Sequence[Column]) -> None:
        """Head a table."""
        for column in columns:
            self.text(column.name, size=8, colour=MUTED, x=self.left + column.x, align=column.align)
        self.down(4)
        self.rule()
        self.down(11)

    def row(self, columns: Sequence[Column], cells: Sequence[str]) -> None:
        """Draw a table's row; what is aligned left is cut where the next column starts."""
        for index, (column, cell) in enumerate(zip(columns, cells, strict=True)):
            limit = None
            if column.align == "left" and index + 1 < len(columns):
                following = columns[index + 1]
                reach = fonts.width(cells[index + 1], 9) if following.align == "right" else 0
                limit = following.x - reach - column.x - 6
            self.text(cell, size=9, x=self.left + column.x, align=column.align, limit=limit)
        self.down(ROW_HEIGHT)

    def bars(self, shares: Sequence[float | None], height: float) -> None:
        """Draw a bar a share of the greatest, 0 to 1, side by side; what is not known stays blank."""
        step = (self.right - self.left) / len(shares)
        self.down(height)
        self.canvas.setFillColor(ACCENT)
        for index, share in enumerate(shares):
            if share is not None:
                tall = max(share * (height - 6), _SMALLEST_BAR)
                self.canvas.rect(self.left + index * step + step * 0.15, self.y, step * 0.7, tall, stroke=0, fill=1)
        self.rule()
        self.down(10)
