from io import BytesIO
from zoneinfo import ZoneInfo

import pytest

from meters.formats.csv_files import Stamps
from meters.formats.reading import FileFormat, detect, read

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
        records = list(read(BytesIO(body), FileFormat(file_format), stamps=STAMPS, default_serial="SG-7"))

        assert records
        assert {getattr(each, "serial", None) for each in records} <= {"SG-7", None}
