"""A page that is filled from the top: text, tables, bars."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

from reportlab.lib.colors import Color, HexColor
from reportlab.pdfgen.canvas import Canvas

from energy_portal.shared.paper import fonts
from energy_portal.shared.paper.structure import Box, Structure

ACCENT, TEXT, MUTED, LINE = (HexColor(code) for code in ("#0e7490", "#0f172a", "#475569", "#e2e8f0"))
_PALE = HexColor("#ecfeff")
ROW_HEIGHT = 12.5
ROW_SIZE = 9.0
_SMALLEST_BAR = 0.6


@dataclass(frozen=True)
class Column:
    """A table's column; ``x`` is from the left margin, the right edge of what is aligned right, in points."""

    name: str
    x: float
    align: Literal["left", "right"]


class Sheet:
    """A canvas with margins and the height, in points, at which the next thing is drawn.

    With a structure, everything that is drawn is told to it.
    """

    def __init__(
        self, canvas: Canvas, *, left: float, right: float, y: float, structure: Structure | None = None
    ) -> None:
        self.canvas, self.left, self.right, self.y, self.structure = canvas, left, right, y, structure

    def element(
        self, kind: str, *, alt: str = "", scope: str = "", span: int = 1, box: Box | None = None
    ) -> AbstractContextManager[object]:
        """Have what is drawn meanwhile belong to an element of the structure; see :meth:`Structure.element`."""
        if self.structure is None:
            return nullcontext()
        return self.structure.element(kind, alt=alt, scope=scope, span=span, box=box)

    def content(self) -> AbstractContextManager[None]:
        """Have what is drawn meanwhile be read."""
        return nullcontext() if self.structure is None else self.structure.content()

    def artifact(self) -> AbstractContextManager[None]:
        """Have what is drawn meanwhile be passed over by readers."""
        return nullcontext() if self.structure is None else self.structure.artifact()

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
        if not shown:
            return
        start = (self.left if align == "left" else self.right) if x is None else x
        if align == "right":
            start -= fonts.width(shown, size, bold=bold)
        line = self.canvas.beginText(start, self.y)
        line.setFillColor(colour)
        for run in fonts.runs(shown, bold=bold):
            line.setFont(run.font, size)
            line.textOut(run.text)
        with self.content():
            self.canvas.drawText(line)

    def rule(self) -> None:
        """Draw a line across the page."""
        with self.artifact():
            self.canvas.setStrokeColor(LINE)
            self.canvas.setLineWidth(0.8)
            self.canvas.line(self.left, self.y, self.right, self.y)

    def band(self, height: float) -> None:
        """Shade the page from this height down."""
        with self.artifact():
            self.canvas.setFillColor(_PALE)
            self.canvas.roundRect(self.left, self.y - height, self.right - self.left, height, 6, stroke=0, fill=1)

    def heading(self, text: str) -> None:
        """Head what follows."""
        self.down(6)
        with self.element("H2"):
            self.text(text, size=10.5, bold=True, colour=ACCENT)
        self.down(14)

    def columns(self, columns: Sequence[Column], *, size: float = 8.0) -> None:
        """Head a table."""
        with self.element("TR"):
            for column in columns:
                with self.element("TH", scope="Column"):
                    self.text(column.name, size=size, colour=MUTED, x=self.left + column.x, align=column.align)
        self.down(4)
        self.rule()
        self.down(11)

    def row(
        self, columns: Sequence[Column], cells: Sequence[str], *, size: float = ROW_SIZE, height: float = ROW_HEIGHT
    ) -> None:
        """Draw a table's row, headed by its first cell, which may have several lines of ``height`` points.

        What is aligned left is cut where the next column starts.
        """
        with self.element("TR"):
            for index, (column, cell) in enumerate(zip(columns, cells, strict=True)):
                limit = None
                if column.align == "left" and index + 1 < len(columns):
                    following = columns[index + 1]
                    reach = fonts.width(cells[index + 1], size) if following.align == "right" else 0
                    limit = following.x - reach - column.x - 6
                with self.element("TD" if index else "TH", scope="" if index else "Row"):
                    top = self.y
                    for line in cell.split("\n"):
                        self.text(line, size=size, x=self.left + column.x, align=column.align, limit=limit)
                        self.down(height)
                    self.y = top
        self.down(height * (cells[0].count("\n") + 1))

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
