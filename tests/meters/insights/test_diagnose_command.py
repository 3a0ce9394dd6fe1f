import gzip
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from meters.insights.appliances.reading import CannotRead, read_samples
from tests.benchmarks import breaking
from tests.meters.insights.plugs import DAY, HOUR, NIGHT, refrigerator

BERLIN = ZoneInfo("Europe/Berlin")


def run(*paths, appliance="refrigerator", **options):
    out = StringIO()
    call_command("diagnose", *map(str, paths), appliance=appliance, as_json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def written(path, seconds, watts, *, header="time,power_w", stamp="%Y-%m-%dT%H:%M:%SZ", form="{},{:.1f}"):
    lines = [header] if header else []
    begin = datetime.fromtimestamp(NIGHT, UTC)
    lines += [
        form.format((begin + timedelta(seconds=float(at))).strftime(stamp), drawn)
        for at, drawn in zip(seconds, watts, strict=True)
    ]
    text = "\n".join(lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


class TestDiagnose:
    def test_tells_a_fault_with_its_evidence(self, tmp_path):
        seconds, watts = refrigerator(1, seed=1)
        path = written(tmp_path / "day.csv", seconds, breaking.never_off(seconds, watts, 12 * HOUR, 45.0))

        told = run(path)

        assert (told["appliance"], told["verdict"]) == ("refrigerator", "fault")
        finding = told["findings"][0]
        assert finding["kind"] == "stuck_on"
        assert finding["began_at"] < finding["detected_at"]
        assert finding["evidence"]["running_hours"] > 10
        assert finding["chart"]["power_w"]

    def test_reads_the_lines_of_tracebase_and_learns_from_other_files(self, tmp_path):
        how = {"header": "", "stamp": "%d/%m/%Y %H:%M:%S", "form": "{};{:.0f};0"}
        taught = written(tmp_path / "taught.csv.gz", *refrigerator(2, seed=2), **how)
        seconds, watts = refrigerator(1, seed=3)
        path = written(tmp_path / "day.csv.gz", seconds + 3 * DAY, watts * 1.3, **how)

        told = run(path, learn=[taught], zone="Europe/Berlin")

        assert [finding["kind"] for finding in told["findings"]] == ["power_drift"]
        assert told["learnt"]["from"] == "the files given to learn from"
        assert told["read"]["bad_lines"] == 0

    def test_takes_named_columns_and_steps_over_bad_lines(self, tmp_path):
        path = written(
            tmp_path / "day.csv", *refrigerator(1, seed=4), header="when;load", stamp="%Y-%m-%d %H:%M:%S", form="{};{}"
        )
        path.write_text(path.read_text() + "\nnonsense;1\n2023-11-16 00:00:10;\n")

        told = run(path, time_column="when", value_column="load")

        assert told["read"]["bad_lines"] == 2
        assert not told["findings"]

    def test_says_that_quarter_hours_are_too_few(self, tmp_path):
        seconds = np.arange(0, 2 * DAY, 900)
        path = written(tmp_path / "coarse.csv", seconds, np.full(len(seconds), 50.0))

        told = run(path)

        assert told["verdict"] == "not_enough_data"
        assert "every 900 seconds" in told["not_judged"][0]["why"]

    def test_prints_words_without_json(self, tmp_path):
        out = StringIO()
        seconds, watts = refrigerator(1, seed=5)
        path = written(tmp_path / "day.csv", seconds, breaking.never_on(seconds, watts, 2 * HOUR, 45.0))

        call_command("diagnose", str(path), appliance="refrigerator", stdout=out)

        assert "- dead (critical)" in out.getvalue()

    def test_understands_what_people_call_an_appliance(self, tmp_path):
        path = written(tmp_path / "day.csv", *refrigerator(0.2, seed=6))

        call_command("diagnose", str(path), "--appliance", "Fridge", stdout=(out := StringIO()))

        assert out.getvalue().startswith("refrigerator: not enough data")

    def test_refuses_what_is_no_power(self, tmp_path):
        (tmp_path / "other.csv").write_text("a,b\n1,2\n")

        with pytest.raises(CommandError, match="say which it is"):
            run(tmp_path / "other.csv")

    def test_refuses_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(CommandError, match=r"nothing\.csv"):
            run(tmp_path / "nothing.csv")


class TestReadSamples:
    def test_follows_the_clock_through_the_hour_that_comes_twice(self):
        lines = ["time,power_w"]
        begin = datetime(2025, 10, 25, 23, 0, tzinfo=UTC)
        moments = [begin + timedelta(minutes=10 * place) for place in range(24)]
        lines += [f"{moment.astimezone(BERLIN):%Y-%m-%d %H:%M:%S},1" for moment in moments]

        samples = read_samples(lines, zone=BERLIN)

        assert samples.times.tolist() == [moment.timestamp() for moment in moments]

    def test_follows_the_clock_over_the_hour_that_never_comes(self):
        begin = datetime(2025, 3, 30, 0, 0, tzinfo=UTC)
        moments = [begin + timedelta(minutes=10 * place) for place in range(12)]

        samples = read_samples(
            ["time,power_w", *(f"{moment.astimezone(BERLIN):%Y-%m-%d %H:%M:%S},1" for moment in moments)], zone=BERLIN
        )

        assert samples.times.tolist() == [moment.timestamp() for moment in moments]

    @pytest.mark.parametrize(
        "stamp", ["2025-01-01T08:00:00+08:00", "1735689600", "1735689600000", "2025-01-01T00:00:00Z"]
    )
    def test_takes_offsets_and_seconds_as_they_are(self, stamp):
        assert read_samples(["Timestamp\tWatts", f"{stamp}\t5"], zone=BERLIN).times.tolist() == [1_735_689_600]

    def test_refuses_an_empty_file(self):
        with pytest.raises(CannotRead, match="empty"):
            read_samples(["", "\n"], zone=BERLIN)

    def test_refuses_lines_that_all_make_no_sense(self):
        with pytest.raises(CannotRead, match="No line"):
            read_samples(["time,power_w", "x,y"], zone=BERLIN)
