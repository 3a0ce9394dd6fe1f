import csv
import io
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from energy_portal.shared import tables

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
nasty = st.builds(str.__add__, st.text("=+-@\t\r\n' '\"1;,", max_size=5), anything)


def read_back(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


class TestCellText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, ""),
            (float("nan"), ""),
            (Decimal("NaN"), ""),
            (True, "true"),
            (-5, "-5"),
            (-0.1, "-0.1"),
            (Decimal("-1E+3"), "-1000"),
            (Decimal("0.10"), "0.10"),
            (Decimal("1E-7"), "0.0000001"),
            ("-12.30", "-12.30"),
            ("+6561234567", "+6561234567"),
            ("-12.30+1", "'-12.30+1"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("\t1", "'\t1"),
            ("\uff1d1", "'\uff1d1"),
            ("'=1", "''=1"),
            ("O'Brien", "O'Brien"),
            ("'quoted'", "'quoted'"),
            (date(2025, 1, 2), "2025-01-02"),
            (datetime(2025, 1, 2, 3, 30, tzinfo=UTC), "2025-01-02T03:30:00+00:00"),
            (datetime(2025, 1, 2, tzinfo=timezone(timedelta(hours=8))), "2025-01-02T00:00:00+08:00"),
            (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ],
    )
    def test_writes_each_kind_of_value(self, value, text):
        assert tables.cell_text(value) == text

    def test_refuses_a_time_that_does_not_say_where(self):
        with pytest.raises(ValueError, match="no time zone"):
            tables.cell_text(datetime(2025, 1, 1))

    @example(" \t")
    @example("\0 \r=1")
    @given(st.one_of(anything, nasty))
    def test_never_starts_text_as_a_formula(self, text):
        cell = tables.cell_text(text)

        assert not cell.lstrip(" ").startswith(FORMULA_STARTS) or Decimal(cell).is_finite()

    @example(" \t")
    @example("\0 \r=1")
    @given(st.one_of(anything, nasty))
    def test_is_undone_by_restore(self, text):
        assert tables.restore(tables.cell_text(text)) == text


class TestCsvLines:
    @given(st.lists(st.tuples(nasty, st.integers(), anything)))
    def test_is_read_back_as_it_was(self, rows):
        read = read_back(b"".join(tables.csv_lines(["name", "count", "note"], rows)))

        assert read[0] == ["name", "count", "note"]
        assert [(tables.restore(a), int(b), tables.restore(c)) for a, b, c in read[1:]] == rows

    def test_quotes_a_semicolon_so_that_no_spreadsheet_splits_there(self):
        assert b"".join(tables.csv_lines(["a"], [["x;=1+1"]])) == b'a\r\n"x;=1+1"\r\n'

    def test_starts_with_a_byte_order_mark_only_when_asked(self):
        assert b"".join(tables.csv_lines(["a"], [], bom=True)) == b"\xef\xbb\xbfa\r\n"
        assert b"".join(tables.csv_lines(["a"], [])) == b"a\r\n"

    def test_neutralises_its_columns_too(self):
        assert b"".join(tables.csv_lines(["=a"], [])) == b"'=a\r\n"

    def test_yields_before_it_has_read_everything(self):
        taken = []
        rows = ([taken.append(n) or n] for n in range(10_000))

        next(iter(tables.csv_lines(["n"], rows)))

        assert 0 < len(taken) < 1_000

    def test_refuses_a_row_of_another_length(self):
        with pytest.raises(ValueError, match="2 cells under 1"):
            list(tables.csv_lines(["a"], [[1, 2]]))
