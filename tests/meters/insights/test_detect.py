import gzip
import json
from datetime import datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

WEEKS = 5
STUCK = slice(4 * 336 + 50, 4 * 336 + 70)


def lines():
    rng = np.random.default_rng(3)
    course = 0.2 + 0.3 * np.exp(-(((np.arange(WEEKS * 336) % 48) - 38) ** 2) / 18)
    values = np.round(course * rng.lognormal(0, 0.3, WEEKS * 336), 3)
    values[STUCK] = 0.211
    first = datetime(2025, 1, 6, 0, 30)
    return [f"{first + timedelta(minutes=30 * at):%Y-%m-%d %H:%M},{value}" for at, value in enumerate(values)]


def detect(path, *more, value="kwh"):
    out = StringIO()
    asked = ["--time", "at", "--value", value, "--zone", "Asia/Singapore", "--labels", "period-end", *more]
    call_command("detect", str(path), *asked, stdout=out)
    return out.getvalue()


class TestDetect:
    def test_scores_each_half_hour_of_a_packed_disordered_file_with_repeats(self, tmp_path):
        path, rows = tmp_path / "home.csv.gz", lines()
        path.write_bytes(gzip.compress("\n".join(["at,kwh", *reversed(rows), rows[7]]).encode()))

        [series] = json.loads(detect(path, "--json"))["series"]

        found = series["half_hours"]
        assert len(found) == WEEKS * 336
        assert found[0]["time"] == "2025-01-06 00:30"
        assert found[0]["utc"] == "2025-01-05T16:00:00Z"
        assert found[0]["score"] is None
        assert min(each["score"] for each in found[3 * 336 :]) >= 0
        assert {each["kind"] for each in found[STUCK][8:]} == {"stuck"}
        assert series["repeated_rows"] == 1
        assert "stuck" in {each["kind"] for each in series["episodes"]}

    def test_leaves_out_what_is_missing(self, tmp_path):
        path, rows = tmp_path / "home.csv", lines()
        rows[4 * 336] = rows[4 * 336].split(",")[0] + ","
        path.write_text("\n".join(["at,kwh", *rows[: 4 * 336 + 1], *rows[4 * 336 + 20 :]]))

        [series] = json.loads(detect(path, "--json"))["series"]

        assert len(series["half_hours"]) == WEEKS * 336 - 19
        assert series["half_hours"][4 * 336]["score"] is None

    def test_tells_people_what_stands_out(self, tmp_path):
        path = tmp_path / "home.csv"
        path.write_text("\n".join(["at,kwh", *lines()]))

        assert "same value again and again" in detect(path, "--unit", "kWh")

    def test_says_why_a_short_file_has_no_scores(self, tmp_path):
        path = tmp_path / "home.csv"
        path.write_text("\n".join(["at,kwh", *lines()[:100]]))

        [series] = json.loads(detect(path, "--json"))["series"]

        assert {each["score"] for each in series["half_hours"]} == {None}
        assert "fewer than three weeks" in series["reason"]

    def test_refuses_a_column_that_is_not_there(self, tmp_path):
        path = tmp_path / "home.csv"
        path.write_text("\n".join(["at,kwh", *lines()[:10]]))

        with pytest.raises(CommandError, match="no column 'mw'"):
            detect(path, value="mw")

    def test_refuses_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(CommandError, match="No such file"):
            detect(tmp_path / "none.csv")
