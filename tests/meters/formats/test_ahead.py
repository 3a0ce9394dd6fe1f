from threading import active_count

import pytest

from meters.formats.ahead import read_ahead
from meters.formats.records import FileFault


def faults(count):
    for line in range(count):
        yield FileFault(line, "malformed", "")


class TestReadAhead:
    @pytest.mark.parametrize("count", [0, 1, 1_000, 4_321])
    def test_gives_every_record_in_its_order(self, count):
        with read_ahead(faults(count)) as records:
            assert [each.line for each in records] == list(range(count))

    def test_raises_what_breaks_the_file_off_after_what_came_before(self):
        def broken():
            yield from faults(3)
            raise OSError("torn")

        with read_ahead(broken()) as records:
            found = [next(records).line for _ in range(3)]
            with pytest.raises(OSError, match="torn"):
                next(records)

        assert found == [0, 1, 2]

    def test_leaves_no_thread_behind_when_the_block_is_left_early(self):
        before = active_count()

        with read_ahead(faults(1_000_000)) as records:
            next(records)

        assert active_count() == before
