"""What a bill's PDF says to readers that do not see it."""

from datetime import timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader
from pypdf.generic import ContentStream, DictionaryObject

from billing.documents import BillDocument, DayUse, bill_pdf
from tests.billing.test_documents import COMPARED, ENERGY, FIRST, GST, document


def reader_of(bill: BillDocument) -> PdfReader:
    return PdfReader(BytesIO(bill_pdf(bill)))


def elements(reader: PdfReader) -> list[DictionaryObject]:
    """Return the elements of the structure, in the order in which they are read."""

    def walk(entry):
        entry = entry.get_object()
        if isinstance(entry, DictionaryObject):
            yield entry
            for kid in entry["/K"]:
                yield from walk(kid)

    return [element for kid in reader.root_object["/StructTreeRoot"]["/K"] for element in walk(kid)]


def marks(reader: PdfReader) -> list[tuple[str, int | None]]:
    """Return the tags that are drawn, in their order, with their numbers; artifacts have none."""
    found = []
    for operands, operator in ContentStream(reader.pages[0].get_contents(), reader).operations:
        if operator == b"BDC":
            found.append((operands[0], operands[1]["/MCID"]))
        elif operator == b"BMC":
            found.append((operands[0], None))
    return found


@pytest.fixture
def whole() -> PdfReader:
    days = tuple(
        DayUse(FIRST + timedelta(days=day), None if day in {9, 10} else 8 + ENERGY.rate * day, estimated=day == 4)
        for day in range(28)
    )
    return reader_of(document(daily_use=days, compared=COMPARED))


class TestStructure:
    def test_is_declared_with_language_and_title(self, whole):
        root = whole.root_object

        assert root["/MarkInfo"]["/Marked"]
        assert root["/Lang"].startswith("en")
        assert root["/ViewerPreferences"]["/DisplayDocTitle"]
        assert whole.pages[0]["/Tabs"] == "/S"

    def test_holds_headings_tables_and_the_chart(self, whole):
        kinds = [element["/S"] for element in elements(whole)]

        assert kinds[0] == "/Document"
        assert kinds.count("/H1") == 1
        assert kinds.count("/H2") == 6
        assert kinds.count("/Table") == 4
        assert kinds.count("/Figure") == 1
        assert kinds.index("/H1") < kinds.index("/H2") < kinds.index("/Figure")

    def test_tells_the_chart_in_words(self, whole):
        (figure,) = (element for element in elements(whole) if element["/S"] == "/Figure")

        assert figure["/Alt"] == (
            "Bar chart of the energy of each day, 1 to 28 Feb 2023: most on 28 Feb, 15.8 kWh; least on 1 Feb, 8 kWh."
            " 1 day is estimated. 2 days are not known."
        )
        left, bottom, right, top = figure["/A"]["/BBox"]
        assert 0 < left < right < 596
        assert 0 < bottom < top < 842

    def test_gives_header_cells_their_scope(self, whole):
        scopes = {element["/A"]["/Scope"] for element in elements(whole) if element["/S"] == "/TH"}

        assert scopes == {"/Row", "/Column"}

    def test_gives_every_row_of_a_table_as_many_cells(self, whole):
        for table in (element for element in elements(whole) if element["/S"] == "/Table"):
            rows = [[cell.get_object() for cell in row.get_object()["/K"]] for row in table["/K"]]

            widths = {sum(cell.get("/A", {}).get("/ColSpan", 1) for cell in row) for row in rows}
            assert len(widths) == 1

    def test_numbers_what_is_drawn_in_the_order_of_reading(self, whole):
        numbers = [number for _, number in marks(whole) if number is not None]
        read = [kid for element in elements(whole) for kid in element["/K"] if isinstance(kid, int)]

        assert numbers == list(range(len(numbers)))
        assert sorted(read) == numbers
        assert [kid for kid in read if kid != read[0]][:10] == numbers[1:11]

    def test_leads_from_the_page_back_to_each_element(self, whole):
        tree = whole.root_object["/StructTreeRoot"]["/ParentTree"]["/Nums"]
        owners = [owner.get_object() for owner in tree[1].get_object()]

        assert tree[0] == whole.pages[0]["/StructParents"] == 0
        assert [f"/{owner['/S'][1:]}" for owner in owners] == [
            tag for tag, number in marks(whole) if number is not None
        ]
        assert all(number in owner["/K"] for number, owner in enumerate(owners))

    @pytest.mark.parametrize("lines", [1, 20, 120])
    @pytest.mark.parametrize("status", ["issued", "void"])
    def test_leaves_nothing_unmarked(self, lines, status):
        reader = reader_of(document(status=status, compared=COMPARED, lines=(ENERGY,) * lines + (GST,)))

        open_marks = 0
        for _, operator in ContentStream(reader.pages[0].get_contents(), reader).operations:
            open_marks += operator in {b"BDC", b"BMC"}
            open_marks -= operator == b"EMC"
            assert open_marks in {0, 1}
            assert open_marks or operator not in {b"Tj", b"TJ", b"re", b"l", b"S", b"f", b"B"}
        assert open_marks == 0

    def test_passes_the_watermark_over(self):
        reader = reader_of(document(status="void"))

        assert marks(reader)[0] == ("/Artifact", None)
