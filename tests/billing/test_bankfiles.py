from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.bankfiles import NotABankFile, Options, read_bank_file
from billing.bankwords import (
    AmbiguousText,
    DateOrder,
    DecimalMark,
    UnreadableText,
    amount_of,
    date_order_of,
    day_of,
    decimal_mark_of,
)

SGD = Options(currency="SGD")


def rows_of(text: str, options: Options = SGD):
    return read_bank_file(text.encode(), options)


class TestAmountOf:
    @pytest.mark.parametrize(
        ("text", "amount"),
        [
            ("96.47", "96.47"),
            ("1,234.56", "1234.56"),
            ("1.234,56", "1234.56"),
            ("1 234,56", "1234.56"),
            ("1\u00a0234,56", "1234.56"),
            ("1'234.50", "1234.50"),
            ("1\u2019234.50", "1234.50"),
            ("12,5", "12.50"),
            ("1,234,567", "1234567.00"),
            ("-12.00", "-12.00"),
            ("\u221212.00", "-12.00"),
            ("12.00-", "-12.00"),
            ("(12.00)", "-12.00"),
            ("12.00 CR", "12.00"),
            ("12.00DR", "-12.00"),
            ("12,00 S", "-12.00"),
            ("S$ 12.00", "12.00"),
            ("SGD 1,012.00", "1012.00"),
            ("-€12,00", "-12.00"),
            ("€ -12,00", "-12.00"),
            ("12,00 EUR", "12.00"),
            ("+7", "7.00"),
            ("0.500", "0.50"),
        ],
    )
    def test_reads_amounts_as_banks_write_them(self, text, amount):
        assert amount_of(text, None) == Decimal(amount)

    @pytest.mark.parametrize(("mark", "amount"), [(DecimalMark.POINT, "1234.00"), (DecimalMark.COMMA, "1.50")])
    def test_reads_a_single_mark_as_the_file_does(self, mark, amount):
        text = {"1234.00": "1,234", "1.50": "1,500"}[amount]

        assert amount_of(text, mark) == Decimal(amount)

    def test_does_not_guess_whether_a_mark_parts_thousands(self):
        with pytest.raises(AmbiguousText):
            amount_of("1,234", None)

    @pytest.mark.parametrize(
        "text",
        ["", "twelve", "1.2.3,4", "12,34,56", "1.234.56", "12.345,678", "9999999999999", "1e5", "--", "Infinity"],
    )
    def test_refuses_what_is_no_amount(self, text):
        with pytest.raises(UnreadableText):
            amount_of(text, None)

    def test_refuses_what_is_finer_than_a_cent(self):
        with pytest.raises(UnreadableText) as refused:
            amount_of("12.3456", None)

        assert refused.value.code == "not_cents"

    def test_refuses_a_mark_that_is_not_the_files(self):
        with pytest.raises(UnreadableText, match="unlike"):
            amount_of("12,50", DecimalMark.POINT)

    @given(st.integers(-10_000_000_00, 10_000_000_00), st.sampled_from(DecimalMark))
    def test_reads_back_what_is_written_in_either_way(self, cents, mark):
        amount = Decimal(cents) / 100
        text = f"{amount:,.2f}"
        if mark == DecimalMark.COMMA:
            text = text.translate(str.maketrans(",.", ".,"))

        assert amount_of(text, mark) == amount


class TestDecimalMarkOf:
    @pytest.mark.parametrize(
        ("texts", "mark"),
        [
            (["1,234", "12.50"], DecimalMark.POINT),
            (["1.234", "12,50"], DecimalMark.COMMA),
            (["1,234"], None),
            (["12,50", "12.50"], None),
            (["", "7"], None),
        ],
    )
    def test_is_what_an_amount_proves(self, texts, mark):
        assert decimal_mark_of(texts) == mark


class TestDayOf:
    @pytest.mark.parametrize(
        "text",
        ["2025-03-04", "2025/03/04", "20250304", "4 Mar 2025", "04-MAR-25", "04.03.2025", "04.03.25", "4. März 2025"],
    )
    def test_reads_days_that_can_be_read_in_one_way(self, text):
        assert day_of(text, None) == date(2025, 3, 4)

    def test_leaves_a_time_behind_a_day_out(self):
        assert day_of("2025-03-04T10:15:00+08:00", None) == day_of("04.03.2025 10:15", None) == date(2025, 3, 4)

    @pytest.mark.parametrize(("order", "day"), [(DateOrder.DMY, date(2025, 3, 4)), (DateOrder.MDY, date(2025, 4, 3))])
    def test_reads_numbers_in_the_order_told(self, order, day):
        assert day_of("04/03/2025", order) == day

    def test_does_not_guess_which_number_is_the_month(self):
        with pytest.raises(AmbiguousText):
            day_of("04/03/2025", None)

    @pytest.mark.parametrize("text", ["", "31/02/2025", "2025-13-01", "soon", "4 Foo 2025"])
    def test_refuses_what_is_no_day(self, text):
        with pytest.raises(UnreadableText):
            day_of(text, DateOrder.DMY)


class TestDateOrderOf:
    @pytest.mark.parametrize(
        ("texts", "order"),
        [
            (["04/03/2025", "31/03/2025"], DateOrder.DMY),
            (["04/03/2025", "03/31/2025"], DateOrder.MDY),
            (["04/03/2025"], None),
            (["31/03/2025", "03/31/2025"], None),
        ],
    )
    def test_is_what_a_day_proves(self, texts, order):
        assert date_order_of(texts) == order


class TestReadBankFile:
    def test_finds_the_header_below_a_banks_preamble(self):
        text = "Account,123-456\nFrom,1 Mar 2025\n\nDate,Description,Amount\n2025-03-04,Bill A-1001,96.47\n"

        (row,) = rows_of(text)

        assert (row.line, row.day, row.amount, row.reference) == (
            5,
            date(2025, 3, 4),
            Decimal("96.47"),
            "Bill A-1001",
        )
        assert row.raw == "2025-03-04,Bill A-1001,96.47"

    def test_reads_a_german_export(self):
        text = (
            "Buchungstag;Wertstellung;Begünstigter/Zahlungspflichtiger;Verwendungszweck;Betrag;Währung\r\n"
            '03.03.2025;04.03.2025;Erika Muster;"Rechnung, A-1001";1.096,47;EUR\r\n'
        )

        (row,) = read_bank_file(text.encode("cp1252"), Options())

        assert (row.day, row.amount, row.currency) == (date(2025, 3, 4), Decimal("1096.47"), "EUR")
        assert (row.payer, row.reference) == ("Erika Muster", "Rechnung, A-1001")

    def test_reads_credits_and_debits_in_columns_of_their_own(self):
        text = "Date,Details,Debit,Credit\n2025-03-04,in,,10.00\n2025-03-05,out,7.50,\n2025-03-06,out,-7.50,0.00\n"

        assert [row.amount for row in rows_of(text)] == [Decimal("10.00"), Decimal("-7.50"), Decimal("-7.50")]

    def test_reads_an_indicator_beside_the_amount(self):
        text = "Date,CR/DR,Amount\n2025-03-04,CR,10.00\n2025-03-05,DR,7.50\n2025-03-06,??,1.00\n"

        rows = rows_of(text)

        assert [row.amount for row in rows[:2]] == [Decimal("10.00"), Decimal("-7.50")]
        assert rows[2].code == "unknown_indicator"

    def test_reads_the_columns_that_are_named(self):
        text = "When|How much|Text|Amount\n2025-03-04|5.00|hello|9.99\n"

        (row,) = rows_of(
            text, Options(currency="SGD", columns={"date": "when", "amount": "How much", "reference": "Text"})
        )

        assert (row.amount, row.reference) == (Decimal("5.00"), "hello")

    def test_joins_what_stands_in_several_columns_of_references(self):
        text = "Transaction Date\tTransaction Ref1\tTransaction Ref2\tAmount\n04 Mar 2025\tA-1001\tthanks\t5.00\n"

        assert rows_of(text)[0].reference == "A-1001 thanks"

    def test_settles_what_is_ambiguous_by_another_line(self):
        text = 'Date,Amount\n04/03/2025,"1,234"\n31/03/2025,12.50\n'

        assert [(row.day, row.amount) for row in rows_of(text)] == [
            (date(2025, 3, 4), Decimal("1234.00")),
            (date(2025, 3, 31), Decimal("12.50")),
        ]

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ("04/03/2025,12.00,SGD", "ambiguous_date"),
            ('2025-03-04,"1,234",SGD', "ambiguous_amount"),
            ("2025-03-04,,SGD", "no_amount"),
            ("2025-03-04,12.00,S", "unknown_currency"),
            ("2025-03-04", "short_line"),
            ("total,12.00,SGD", "bad_date"),
        ],
    )
    def test_keeps_a_line_that_it_cannot_read_with_the_reason(self, line, code):
        (row,) = rows_of(f"Date,Amount,Currency\n{line}\n", Options())

        assert (row.code, row.raw, row.amount) == (code, line, None)
        assert row.problem

    def test_keeps_the_place_and_the_text_of_a_line_with_line_ends_in_a_cell(self):
        text = 'Date,Details,Amount\n2025-03-04,"two\nlines",1.00\n2025-03-05,one,2.00\n'

        assert [(row.line, row.raw) for row in rows_of(text)] == [
            (2, '2025-03-04,"two\nlines",1.00'),
            (4, "2025-03-05,one,2.00"),
        ]

    @pytest.mark.parametrize("text", ["", "hello\nworld\n", "Date,Details\n2025-03-04,x\n"])
    def test_refuses_what_names_no_date_and_amount(self, text):
        with pytest.raises(NotABankFile):
            rows_of(text)

    def test_refuses_a_heading_that_is_not_there(self):
        with pytest.raises(NotABankFile, match="Betrag"):
            rows_of("Date,Amount\n2025-03-04,1.00\n", Options(columns={"amount": "Betrag"}))

    def test_tells_lines_apart_that_say_the_same_and_knows_them_again(self):
        text = "Date,Details,Amount\n" + "2025-03-04,A-1001,5.00\n" * 2

        first, again = ([row.fingerprint for row in rows_of(text + more)] for more in ("", "2025-03-05,x,1.00\n"))

        assert len(set(first)) == 2
        assert again[:2] == first

    def test_knows_a_line_by_the_banks_own_number(self):
        text = "Transaction ID,Date,Amount\nTX-1,2025-03-04,5.00\n"

        assert rows_of(text)[0].fingerprint == "id:TX-1"

    def test_reads_utf_16(self):
        content = "Date\tAmount\n2025-03-04\t5.00\n".encode("utf-16")

        assert read_bank_file(content, SGD)[0].amount == Decimal("5.00")

    @given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=80))
    def test_loses_no_line_whatever_it_holds(self, words):
        line = " ".join(words.replace('"', "").split())
        text = f"Date,Amount,Details\n{line}\n2025-03-04,5.00,last\n"

        rows = rows_of(text)

        assert rows[-1].raw == "2025-03-04,5.00,last"
        assert len(rows) == (2 if line.strip(", ") else 1)
