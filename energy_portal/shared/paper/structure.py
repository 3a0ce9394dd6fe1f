"""What a page says apart from how it looks: headings, tables and pictures in the order in which they are read.

Every mark on the page either belongs to an element of the structure (marked content, ISO 32000-1, 14.6 to 14.8) or is
an artifact that readers pass over. Fonts stay those that every reader has, so that a document is tagged but, without
embedded fonts, does not claim PDF/UA.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from reportlab.pdfbase.pdfdoc import (
    PDFArray,
    PDFDictionary,
    PDFName,
    PDFObject,
    PDFObjectReference,
    PDFPage,
    PDFString,
)
from reportlab.pdfgen.canvas import Canvas

_HOLDS_TEXT = frozenset({"H1", "H2", "P", "TH", "TD", "Caption", "Figure"})
_PARAGRAPH = "P"
_TRUE = "true"


@dataclass(frozen=True)
class Box:
    """Where a picture lies on the page, in points from its lower left corner."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(eq=False)
class Element:
    """A part of the structure: parts of its own, and numbers of marked content, in the order of reading."""

    kind: str
    alt: str = ""
    scope: str = ""
    span: int = 1
    box: Box | None = None
    children: list["Element | int"] = field(default_factory=list)


class Structure:
    """The structure of a document of one page, made while the page is drawn."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._root = Element("Document")
        self._open = [self._root]
        self._owners: list[Element] = []
        self._in_artifact = False

    @contextmanager
    def element(
        self, kind: str, *, alt: str = "", scope: str = "", span: int = 1, box: Box | None = None
    ) -> Iterator[Element]:
        """Open an element within the one that is open: what is drawn meanwhile belongs to it.

        :param kind: a standard structure type, such as H1, P, Table, TR, TH, TD or Figure.
        :param alt: what is read out instead of a picture.
        :param scope: of a table's header cell, Row or Column.
        :param span: over how many columns it reaches.
        """
        element = Element(kind, alt, scope, span, box)
        self._open[-1].children.append(element)
        self._open.append(element)
        try:
            yield element
        finally:
            self._open.pop()

    @contextmanager
    def content(self) -> Iterator[None]:
        """Mark what is drawn meanwhile as content of the open element; where that holds none, of a paragraph in it."""
        if self._in_artifact:
            yield
            return
        if self._open[-1].kind not in _HOLDS_TEXT:
            with self.element(_PARAGRAPH), self.content():
                yield
            return
        owner, number = self._open[-1], len(self._owners)
        owner.children.append(number)
        self._owners.append(owner)
        self._write(f"/{owner.kind} <</MCID {number}>> BDC")
        yield
        self._write("EMC")

    @contextmanager
    def artifact(self) -> Iterator[None]:
        """Mark what is drawn meanwhile as decoration."""
        if self._in_artifact:
            yield
            return
        self._in_artifact = True
        self._write("/Artifact BMC")
        yield
        self._write("EMC")
        self._in_artifact = False

    def attach(self, page: PDFPage) -> None:
        """Write the structure into the document once its page is drawn, before it is saved."""
        document = self._canvas._doc
        root = PDFDictionary({"Type": PDFName("StructTreeRoot")})
        to_page = document.Reference(page)
        written: dict[int, PDFObjectReference] = {}
        top = self._written(self._root, document.Reference(root), to_page, written)
        owners = PDFArray([written[id(owner)] for owner in self._owners])
        root["K"] = PDFArray([top])
        root["ParentTree"] = document.Reference(PDFDictionary({"Nums": PDFArray([0, document.Reference(owners)])}))
        root["ParentTreeNextKey"] = 1
        document.Catalog.StructTreeRoot = root
        document.Catalog.MarkInfo = PDFDictionary({"Marked": _TRUE})
        # A page of the library knows neither key, but writes whatever it is told to know.
        page.__NoDefault__ = [*page.__NoDefault__, "StructParents", "Tabs"]
        page.StructParents, page.Tabs = 0, PDFName("S")

    def _written(
        self,
        element: Element,
        parent: PDFObjectReference,
        page: PDFObjectReference,
        written: dict[int, PDFObjectReference],
    ) -> PDFObjectReference:
        """Return a reference to an element in the document, parts first."""
        entry = PDFDictionary({"Type": PDFName("StructElem"), "S": PDFName(element.kind), "P": parent, "Pg": page})
        reference: PDFObjectReference = self._canvas._doc.Reference(entry)
        written[id(element)] = reference
        entry["K"] = PDFArray(
            [
                child if isinstance(child, int) else self._written(child, reference, page, written)
                for child in element.children
            ]
        )
        if element.alt:
            entry["Alt"] = PDFString(element.alt)
        if attributes := _attributes(element):
            entry["A"] = attributes
        return reference

    def _write(self, operator: str) -> None:
        self._canvas._code.append(operator)


def _attributes(element: Element) -> PDFObject | None:
    if element.scope:
        spans = {"ColSpan": element.span} if element.span > 1 else {}
        return PDFDictionary({"O": PDFName("Table"), "Scope": PDFName(element.scope), **spans})
    if element.box is not None:
        box = element.box
        corners = PDFArray([round(edge, 2) for edge in (box.left, box.bottom, box.right, box.top)])
        return PDFDictionary({"O": PDFName("Layout"), "Placement": PDFName("Block"), "BBox": corners})
    return None
