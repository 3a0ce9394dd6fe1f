from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from billing.documents import BillDocument, BilledUse, DayUse, DocumentLine, DocumentRead, Issuer, bill_pdf
from billing.documents.text import day_span, money, plain, rate_of
from energy_portal.shared.paper import fonts

SINGAPORE = ZoneInfo("Asia/Singapore")
FIRST, LAST = date(2023, 2, 1), date(2023, 2, 28)

ENERGY = DocumentLine(
    "energy", "Electricity, 2023 Q1", FIRST, LAST, Decimal("308.520000"), "kWh", Decimal("0.289500"), Decimal("89.32")
)
GST = DocumentLine("tax", "GST 8 %", FIRST, LAST, Decimal("89.320000"), "SGD", Decimal("0.08"), Decimal("7.15"))
READS = tuple(
    DocumentRead(
        "SP-1", "SG-000123", "1.8.0", datetime(2023, month, 1, tzinfo=SINGAPORE), Decimal(value), 17, "boundary"
    )
    for month, value in ((2, "14002.3"), (3, "14310.82"))
)
COMPARED = (
    BilledUse(FIRST, Decimal("308.52"), 28),
    BilledUse(date(2023, 1, 1), Decimal(311), 31),
    BilledUse(date(2022, 2, 1), Decimal(343), 28),
)


def document(**changes: object) -> BillDocument:
    bill = BillDocument(
        issuer=Issuer("Energy portal", "1 Grid Street, Singapore 018900", "help@example.org"),
        number="202302-000001",
        status="issued",
        account_number="A-1001",
        owner_name="Tan Mei Ling",
        address="12 Example Road\n#05-11\nSingapore 123456",
        first_day=FIRST,
        last_day=LAST,
        issued_on=date(2023, 3, 2),
        zone="Asia/Singapore",
        currency="SGD",
        consumption_kwh=Decimal("308.520000"),
        subtotal=Decimal("89.32"),
        tax=Decimal("7.15"),
        total=Decimal("96.47"),
        estimated_share=Decimal(0),
        lines=(ENERGY, GST),
        reads=READS,
        daily_use=tuple(DayUse(FIRST + timedelta(days=day), Decimal(8 + day % 7)) for day in range(28)),
    )
    return replace(bill, **changes)


def read(bill: BillDocument) -> tuple[PdfReader, str]:
    reader = PdfReader(BytesIO(bill_pdf(bill)))
    return reader, reader.pages[0].extract_text()


def heights_of(reader: PdfReader) -> dict[str, list[float]]:
    """Return how high the texts stand before the foot of the page, and in it."""
    heights: dict[str, list[float]] = {"before": [], "foot": []}

    def note(text, _, matrix, *__):
        if text.strip() and text.strip() not in {"DRAFT", "VOID"}:
            in_foot = heights["foot"] or "How to pay" in text
            heights["foot" if in_foot else "before"].append(matrix[5])

    reader.pages[0].extract_text(visitor_text=note)
    return heights


class TestBillPdf:
    def test_says_what_is_owed_to_the_cent(self):
        _, text = read(document())

        for expected in ("SGD 96.47", "308.52 kWh", "0.2895", "89.32", "GST 8 % on 89.32", "7.15", "96.47"):
            assert expected in text

    def test_says_whose_it_is_for_when_and_from_whom(self):
        _, text = read(document())

        for expected in (
            "Energy portal",
            "Tan Mei Ling",
            "#05-11",
            "A-1001",
            "202302-000001",
            "1 to 28 Feb 2023",
            "2 Mar 2023",
        ):
            assert expected in text

    def test_lists_the_readings_behind_it(self):
        _, text = read(document())

        for expected in ("SG-000123", "1 Feb 2023 00:00", "14,002.3", "1 Mar 2023 00:00", "14,310.82"):
            assert expected in text

    def test_carries_a_title(self):
        reader, _ = read(document())

        assert reader.metadata.title == "Electricity bill 202302-000001"
        assert reader.metadata.author == "Energy portal"

    def test_is_the_same_every_time(self):
        assert bill_pdf(document()) == bill_pdf(document())

    @pytest.mark.parametrize(("lines", "reads"), [(1, 0), (5, 2), (16, 14), (20, 15), (45, 400), (120, 400)])
    def test_fits_one_page_and_still_adds_up(self, lines, reads):
        bill = document(
            lines=(ENERGY,) * lines + (GST, replace(GST, description="GST 9 %")),
            reads=tuple(replace(READS[0], time=READS[0].time + timedelta(hours=hour)) for hour in range(reads)),
            compared=COMPARED,
        )

        reader, text = read(bill)

        assert len(reader.pages) == 1
        heights = heights_of(reader)
        assert min(heights["before"]) > max(heights["foot"]) > min(heights["foot"]) > 0
        shown = text.count("Electricity, 2023 Q1")
        assert shown == lines or f"{lines - shown} more lines on the website" in text
        assert shown == lines or money((lines - shown) * ENERGY.amount) in text

    @pytest.mark.parametrize("lines", [1, 20, 45])
    def test_leaves_no_line_out_that_a_smaller_type_has_room_for(self, lines):
        _, text = read(document(lines=(ENERGY,) * lines + (GST,)))

        assert "more line" not in text

    @settings(max_examples=15)
    @given(
        lines=st.integers(0, 120),
        words=st.integers(1, 10),
        taxes=st.integers(0, 3),
        reads=st.integers(0, 60),
        payment=st.text("abcdefgh ", max_size=300),
        held=st.sampled_from(["", "Energy is missing for part of the period: enter or estimate the readings."]),
        is_charted=st.booleans(),
    )
    def test_never_runs_into_its_foot(self, lines, words, taxes, reads, payment, held, is_charted):
        energy = replace(ENERGY, description="On-peak energy " * words, first_day=FIRST + timedelta(days=lines % 2))
        bill = document(
            issuer=replace(document().issuer, payment=payment, website="https://portal.example.org"),
            lines=(energy,) * lines + (GST,) * taxes,
            reads=tuple(replace(READS[0], serial=str(number)) for number in range(reads)),
            held_because=held,
            compared=COMPARED,
            daily_use=document().daily_use if is_charted else (),
        )

        reader, _ = read(bill)

        assert len(reader.pages) == 1
        heights = heights_of(reader)
        assert min(heights["before"]) > max(heights["foot"])
        assert min(heights["foot"]) > 20

    def test_breaks_a_long_description_instead_of_cutting_it(self):
        words = "Electricity at SP-000123, On-peak, from 400 to 1,000 kWh, household time-of-use of summer 2025"

        _, text = read(document(lines=(replace(ENERGY, description=words), GST)))

        assert " ".join(text.split()).find(words) > 0

    def test_says_how_to_pay_by_when_and_with_which_reference(self):
        issuer = replace(document().issuer, payment="Bank transfer to 123-456-789.", website="https://portal.example")

        text = " ".join(read(document(due_on=date(2023, 3, 23), issuer=issuer))[1].split())

        assert "Pay by 23 Mar 2023" in text
        assert "Please pay SGD 96.47 by 23 Mar 2023 and give the payment reference 202302-000001." in text
        assert "Bank transfer to 123-456-789." in text
        assert "https://portal.example and dispute it there" in text

    def test_asks_for_nothing_where_the_bill_is_in_favour_of_the_payer(self):
        _, text = read(document(subtotal=Decimal("-5.00"), tax=Decimal("-0.40"), total=Decimal("-5.40")))

        assert "Nothing is to be paid" in " ".join(text.split())
        assert "Please pay" not in text

    def test_compares_the_use_of_a_day_with_other_months(self):
        _, text = read(document(compared=COMPARED))

        assert "Jan 2023 10.03 10 % higher" in text
        assert "Feb 2022 12.25 10 % lower" in text

    def test_says_where_there_is_nothing_to_compare_with(self):
        _, text = read(document(compared=(*COMPARED[:2], BilledUse(date(2022, 2, 1), None, 28))))

        assert "Feb 2022 not billed" in text

    def test_tells_a_credit_note_from_a_bill(self):
        note = document(
            kind="credit_note",
            number="CN-000001",
            corrects="202302-000001",
            subtotal=Decimal("-89.32"),
            tax=Decimal("-7.15"),
            total=Decimal("-96.47"),
        )

        reader, text = read(note)

        assert reader.metadata.title == "Credit note CN-000001"
        for expected in ("Takes back bill 202302-000001", "Credited to you SGD 96.47", "Total SGD -96.47"):
            assert expected in text
        assert "Pay by" not in text

    def test_says_which_bill_it_stands_in_for(self):
        assert "Replaces bill 202302-000001" in read(document(number="202302-000009", corrects="202302-000001"))[1]

    def test_says_why_a_draft_is_held(self):
        held = document(
            number=None,
            status="draft",
            issued_on=None,
            held_because="No tariff is in force: add it.",
            subtotal=None,
            tax=None,
            total=None,
            lines=(),
            reads=(),
        )

        _, text = read(held)

        assert "DRAFT: not a bill yet" in text
        assert "No tariff is in force: add it." in text
        assert "Held" in text

    def test_says_that_a_bill_is_void(self):
        _, text = read(document(status="void", taken_back_by="CN-000001", due_on=date(2023, 3, 23)))

        assert "VOID: taken back by credit note CN-000001" in text
        assert text.splitlines()[0] == "VOID"
        assert "Pay by" not in text

    @pytest.mark.parametrize("name", ["陈美玲", "김서연", "さくら", "Zoë Ångström", "Renée"])
    def test_prints_names_in_their_own_letters(self, name):
        _, text = read(document(owner_name=name))

        assert name in text
        assert "cannot print" not in text

    @pytest.mark.parametrize(
        ("name", "printed"), [("Nguyễn Thị", "Nguyen Thi"), ("தமிழ்", "?????"), ("Ana\u0007\u202e😀", "Ana???")]
    )
    def test_replaces_what_no_font_has(self, name, printed):
        _, text = read(document(owner_name=name))

        assert printed in text
        assert ("cannot print" in text) == ("?" in printed)

    def test_leaves_the_chart_out_when_no_day_is_known(self):
        _, text = read(document(daily_use=tuple(DayUse(FIRST, None) for _ in range(28))))

        assert "Your use" not in text

    @given(st.text(max_size=60), st.text(max_size=200), st.text(max_size=60))
    def test_never_fails_on_what_people_are_called(self, name, address, serial):
        bill = document(owner_name=name, address=address, reads=(replace(READS[0], serial=serial),))

        assert len(PdfReader(BytesIO(bill_pdf(bill))).pages) == 1


class TestFit:
    def test_shortens_with_an_ellipsis(self):
        shortened = fonts.fit("A very long name of somebody", 9, 60)

        assert shortened.endswith("…")
        assert fonts.width(shortened, 9) <= 60

    def test_leaves_what_fits(self):
        assert fonts.fit("Short", 9, 60) == "Short"


class TestFigures:
    def test_money_has_two_decimals_and_groups(self):
        assert money(Decimal("1234.5")) == "1,234.50"

    @pytest.mark.parametrize(
        ("number", "text"), [("308.520000", "308.52"), ("1200", "1,200"), ("0.000001", "0.000001")]
    )
    def test_plain_keeps_every_digit_that_counts(self, number, text):
        assert plain(Decimal(number)) == text

    @pytest.mark.parametrize(("rate", "text"), [("0.281200", "0.2812"), ("0.123456", "0.123456"), ("0.3", "0.3000")])
    def test_a_rate_is_never_rounded(self, rate, text):
        assert rate_of(replace(ENERGY, rate=Decimal(rate))) == text

    @pytest.mark.parametrize(
        ("first", "last", "text"),
        [
            (FIRST, FIRST, "1 Feb 2023"),
            (FIRST, LAST, "1 to 28 Feb 2023"),
            (date(2023, 3, 15), date(2023, 4, 14), "15 Mar to 14 Apr 2023"),
            (date(2022, 12, 15), date(2023, 1, 14), "15 Dec 2022 to 14 Jan 2023"),
        ],
    )
    def test_days_are_written_once(self, first, last, text):
        assert day_span(first, last) == text
