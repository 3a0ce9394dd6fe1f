from datetime import UTC, datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest

from energy_portal.shared.clock import LabelConvention
from meters.formats.layout import Stamps
from meters.formats.profile import read_profile
from meters.formats.records import Unreadable

SINGAPORE = ZoneInfo("Asia/Singapore")


def profile_of(text, *, labels=LabelConvention.PERIOD_END, zone=SINGAPORE, minutes=30):
    return read_profile(BytesIO(text.encode()), stamps=Stamps(zone, labels), interval_minutes=minutes)


class TestReadProfile:
    @pytest.mark.parametrize(
        ("labels", "first"),
        [(LabelConvention.PERIOD_END, "2025-01-01 00:30"), (LabelConvention.PERIOD_START, "2025-01-01 00:00")],
    )
    def test_reads_half_hours_labelled_either_way(self, labels, first):
        profile = profile_of(f"time,kwh\n{first},0.5\n", labels=labels)

        assert profile.imported.start == datetime(2024, 12, 31, 16, tzinfo=UTC)
        assert profile.imported.energy_ukwh.tolist() == [500_000]
        assert profile.exported is None

    def test_leaves_what_the_file_leaves_out_unknown(self):
        profile = profile_of("time,kwh\n2025-01-01 00:30,0.5\n2025-01-01 01:30,0\n")

        assert profile.imported.known.tolist() == [True, False, True]

    def test_adds_shorter_intervals_up(self):
        rows = "".join(f"2025-01-01 00:{minute},0.1\n" for minute in (15, 30))

        assert profile_of("time,kwh\n" + rows, minutes=15).imported.energy_ukwh.tolist() == [200_000]

    def test_tells_what_went_out_apart(self):
        profile = profile_of("time,register,kwh\n2025-01-01 00:30,1.8.0,0.5\n2025-01-01 00:30,2.8.0,0.2\n")

        assert profile.imported.energy_ukwh.tolist() == [500_000]
        assert profile.exported.energy_ukwh.tolist() == [200_000]

    def test_reads_the_day_on_which_a_clock_is_put_back(self):
        berlin = ZoneInfo("Europe/Berlin")
        begin = datetime(2025, 10, 26, tzinfo=berlin).astimezone(UTC)
        marks = [(begin + timedelta(minutes=30 * n)).astimezone(berlin) for n in range(1, 51)]
        text = "time,kwh\n" + "".join(f"{mark:%Y-%m-%d %H:%M},0.5\n" for mark in marks)

        profile = profile_of(text, zone=berlin)

        assert len(profile.imported) == 50
        assert profile.imported.is_complete

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("time,kwh\n", "no half-hours"),
            ("day,kwh\n2025-01-01 00:30,1\n", "Line 1"),
            ("time,kwh\n2025-01-01 00:30,much\n", "Line 2"),
            ("time,kwh\n2025-01-01 00:30,1\n2025-01-01 00:30,2\n", "Another value"),
            ("time,value,unit\n2025-01-01 00:30,1,m3\n", "not m³"),
            ("time,meter,kwh\n2025-01-01 00:30,A,1\n2025-01-01 00:30,B,1\n", "2 meters"),
            ("time,kwh\n2025-01-01 00:30,1\n2095-01-01 00:30,1\n", "twenty years"),
        ],
    )
    def test_refuses_what_is_no_profile_and_says_why(self, text, said):
        with pytest.raises(Unreadable, match=said):
            profile_of(text)
