"""Lines of files, however they come and however they end."""

import gzip
import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.formats import csv_rows, texts
from meters.formats.csv_rows import Rows, many_rows
from meters.formats.records import FileFault, Unreadable
from meters.formats.texts import Lines, lines_of

pieces = st.lists(st.sampled_from(["a", "1,2", '"', '"a\nb"', ",", "\r\n", "\n", "\r", "ü", " ", "\x0b"])).map("".join)


class Trickle(io.BytesIO):
    """Gives a byte at a time."""

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(1)


def flat(parts: Iterable[Rows | FileFault]) -> list[object]:
    """Return rows one by one."""
    return [
        row
        for part in parts
        for row in ([part] if isinstance(part, FileFault) else [(line, list(cells)) for line, cells in part.each()])
    ]


class TestLines:
    @given(pieces)
    def test_are_those_of_the_text_however_few_bytes_come_at_once(self, text):
        expected = io.StringIO(text, newline="").readlines()

        assert list(Lines(io.BytesIO(text.encode()))) == expected
        assert list(Lines(Trickle(text.encode()))) == expected
        assert lines_of(text) == expected

    @given(pieces, st.integers(1, 20))
    def test_lose_nothing_in_blocks(self, text, size):
        lines = Lines(io.BytesIO(text.encode()))
        blocks = list(iter(lambda: lines.block(size), ""))

        assert "".join(blocks) == text
        assert all(block.endswith(("\r", "\n")) for block in blocks[:-1])

    def test_come_before_the_error_of_a_file_that_breaks_off(self):
        whole = gzip.compress("".join(f"{number}\n" for number in range(200_000)).encode())
        found: list[str] = []

        with gzip.open(io.BytesIO(whole[: len(whole) // 2])) as file, pytest.raises(EOFError):
            found.extend(line for line in Lines(file))

        assert found == [f"{number}\n" for number in range(len(found))]
        assert len(found) > 50_000

    def test_end_somewhere(self, monkeypatch):
        monkeypatch.setattr(texts, "LONGEST_LINE", 100)

        with pytest.raises(Unreadable, match="no end"):
            list(Lines(io.BytesIO(b"x" * 101)))


class TestManyRows:
    @given(pieces, st.integers(3, 40))
    def test_are_what_a_reader_of_one_row_at_a_time_finds(self, text, size):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv_rows, "_FIRST_BLOCK", size)
            found = flat(many_rows(Lines(io.BytesIO(text.encode())), ","))

        assert found == flat(csv_rows._one_by_one(iter(lines_of(text)), ",", 1))

    def test_come_as_columns_where_nothing_is_quoted(self):
        lines = Lines(io.BytesIO(b"a,b\r\n1,2\r\n3,4\r\n"))
        next(lines)

        (rows,) = many_rows(lines, ",")

        assert rows == Rows(range(2, 4), columns=[["1", "3"], ["2", "4"]])
