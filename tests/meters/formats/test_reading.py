import gzip
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest

from meters.formats import reading
from meters.formats.layout import Layout, Stamps
from meters.formats.reading import FileFormat, detect, read, unpacked
from meters.formats.records import Unreadable

STAMPS = Stamps(ZoneInfo("Asia/Singapore"))


class TestDetect:
    @pytest.mark.parametrize(
        ("begin", "found"),
        [
            (b"100,NEM12,202502010000,MDP,RETAILER\n", "nem12"),
            (b"\xef\xbb\xbf\r\n200,NMI,E1,1,E1,,METER1,kWh,30,\n", "nem12"),
            (b"250,NMI,11,1,11,11,METER1,E,1\n", "nem12"),
            (b'<?xml version="1.0"?><feed/>', "greenbutton"),
            (b"\xef\xbb\xbf  <feed/>", "greenbutton"),
            (b"serial,time,value\n", "csv"),
            (b"1001,time\n", "csv"),
            (b"", "csv"),
        ],
    )
    def test_tells_a_file_by_how_it_begins_and_leaves_it_there(self, begin, found):
        file = BytesIO(begin)

        assert detect(file) is FileFormat(found)
        assert file.tell() == 0


class TestRead:
    @pytest.mark.parametrize(
        ("file_format", "body"),
        [
            ("csv", b"time,value\n2025-01-01T00:00,1\n"),
            ("nem12", b"250,SG-7,11,1,11,11,,E,5,20250101000000,A\n"),
            ("greenbutton", b"<a><IntervalBlock><IntervalReading/></IntervalBlock></a>"),
        ],
    )
    def test_opens_each_format(self, file_format, body):
        records = list(read(BytesIO(body), FileFormat(file_format), stamps=STAMPS, layout=Layout(serial="SG-7")))

        assert records
        assert {getattr(each, "serial", None) for each in records} <= {"SG-7", None}


class TestUnpacked:
    def test_reads_what_is_packed_by_its_name(self):
        body = b"serial,time,value\nSG-1,2025-01-01T00:00,1\n"

        for name, content in (("a.csv", body), ("A.CSV.GZ", gzip.compress(body))):
            with unpacked(BytesIO(content), name) as file:
                assert detect(file) is FileFormat.CSV
                assert len(list(read(file, FileFormat.CSV, stamps=STAMPS))) == 1

    def test_tells_where_a_damaged_file_breaks_off(self):
        rows = b"".join(b"SG-1,2025-01-01T00:00,%d\n" % place for place in range(9_999))
        content = gzip.compress(b"serial,time,value\n" + rows)

        with unpacked(BytesIO(content[:-2_000]), "a.gz") as file:
            *good, last = read(file, FileFormat.CSV, stamps=STAMPS)

        assert len(good) > 100
        assert (last.code, last.line) == ("damaged_file", good[-1].line + 1)

    def test_refuses_what_is_not_packed_at_all(self):
        with unpacked(BytesIO(b"serial"), "a.gz") as file, pytest.raises(Unreadable):
            detect(file)

    def test_is_no_bomb(self, monkeypatch):
        monkeypatch.setattr(reading, "MOST_UNPACKED_BYTES", 100_000)
        content = gzip.compress(b"serial,time,value\n" + b"SG-1,2025-01-01T00:00,1\n" * 10_000)

        with unpacked(BytesIO(content), "a.gz") as file:
            *_, last = read(file, FileFormat.CSV, stamps=STAMPS)

        assert last.code == "file_too_large"
