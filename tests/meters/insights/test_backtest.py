import csv
import gzip
import json
from datetime import datetime, timedelta
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from meters.insights.clockwork import SLOTS_A_DAY
from tests.meters.insights.made import usage

pytestmark = pytest.mark.usefixtures("few_rounds")

BEGIN = datetime(2024, 1, 1)


def run(path, *, days=3, value=("kwh",), time=("time",), **options):
    out = StringIO()
    columns = [*(f"--time={name}" for name in time), *(f"--value={name}" for name in value)]
    call_command("backtest", str(path), *columns, "--json", days=days, stdout=out, stderr=StringIO(), **options)
    return json.loads(out.getvalue())


def rows_of(days, *, seed=0, step=30):
    values = usage(days, seed=seed).values[:: step // 30]
    return [
        [(BEGIN + timedelta(minutes=step * place)).isoformat(), round(value, 4)] for place, value in enumerate(values)
    ]


def written(path, rows, header=("time", "kwh")):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", newline="") as target:
        csv.writer(target).writerows([header, *rows])
    return path


def blend_of(report, name="kwh"):
    return report["series"][name]["models"]["blend"]


class TestBacktest:
    def test_scores_both_days_ahead_and_the_naive_beside(self, tmp_path):
        found = run(written(tmp_path / "a.csv", rows_of(100)), days=7)

        scores = blend_of(found)
        assert found["series"]["kwh"]["spoke"] == {"blend": 7}
        assert scores["0-24h"]["n"] == 7 * SLOTS_A_DAY
        assert scores["24-48h"]["n"] == 6 * SLOTS_A_DAY
        assert scores["0-24h"]["nmae"] < found["overall"]["week_naive"]["0-24h"]["nmae"]
        assert 0.5 < scores["0-24h"]["coverage"] < 1

    def test_forecasts_nothing_from_what_came_later(self, tmp_path):
        rows, told = rows_of(90), []
        origin = (len(rows) // SLOTS_A_DAY - 3) * SLOTS_A_DAY
        later = [*rows[:origin], *([time, 1e6 * place] for place, (time, _) in enumerate(rows[origin:]))]
        for name, own in (("a", rows), ("b", later)):
            target = tmp_path / f"{name}.out"
            run(written(tmp_path / f"{name}.csv", own), forecasts=target)
            told.append([line.rsplit(",", 1)[0] for line in target.read_text().splitlines()[1 : 1 + 2 * SLOTS_A_DAY]])

        assert told[0] == told[1]

    def test_reads_the_same_from_a_shuffled_packed_file_with_repetitions(self, tmp_path):
        rows = rows_of(80)
        mixed = [*rows, *rows[:50], ["rubbish", 3], []]
        np.random.default_rng(0).shuffle(mixed[:-2])

        plain = run(written(tmp_path / "a.csv", rows))
        found = run(written(tmp_path / "b.csv.gz", [mixed[-2], *reversed(mixed[:-2])]))

        assert found["series"] == plain["series"]
        assert found["notes"] == [
            "1 stamps that cannot be read",
            "50 rows of an instant that came again (the last counts)",
        ]

    def test_reads_stamps_that_end_periods_in_two_columns(self, tmp_path):
        ended = [
            [*(datetime.fromisoformat(time) + timedelta(minutes=30)).isoformat(" ").split(" "), value]
            for time, value in rows_of(80)
        ]
        path = written(tmp_path / "b.csv", ended, ("day", "clock", "kwh"))

        found = run(path, time=("day+clock",), labels="period-end")

        assert found["series"] == run(written(tmp_path / "a.csv", rows_of(80)))["series"]

    def test_takes_wide_and_long_tables_for_the_same(self, tmp_path):
        one, other = rows_of(80), rows_of(80, seed=1)
        wide = [[*left, right[1]] for left, right in zip(one, other, strict=True)]
        long = [[time, name, value] for name, rows in (("a", one), ("b", other)) for time, value in rows]

        from_wide = run(written(tmp_path / "wide.csv", wide, ("time", "a", "b")), value=("a", "b"))
        from_long = run(written(tmp_path / "long.csv", long, ("time", "id", "kwh")), id="id")

        assert from_wide["series"] == from_long["series"]

    def test_takes_an_hour_for_two_half_hours(self, tmp_path):
        found = run(written(tmp_path / "a.csv", rows_of(80, step=60)))

        assert found["series"]["kwh"]["step_minutes"] == 60
        assert blend_of(found)["0-24h"]["n"] == 3 * SLOTS_A_DAY

    def test_scores_what_is_served_while_there_is_too_little_for_a_model(self, tmp_path):
        found = run(written(tmp_path / "a.csv", rows_of(15)), days=56)

        assert found["series"]["kwh"]["spoke"] == {"week_naive: cold_start": 7, "weekday_means: no_model": 1}

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("time,kw\n2024-01-01 00:00,1\n", "no column 'kwh'; it has time, kw"),
            ("", "no column"),
            ("time,kwh\n", "no rows"),
            ("time,kwh\nyesterday,1\n", "stamps like 'yesterday' cannot be read"),
            ("time,kwh\n2024-01-01 00:00,x\n", "no value in kwh"),
            ("time,kwh\n2024-01-01 00:00,1\n2024-01-02 00:00,1\n2024-01-03 00:00,1\n", "24 hours apart"),
            ("time,kwh\n2024-01-01 00:00,1\n2024-01-01 00:30,1\n", "No series is longer than a week"),
        ],
    )
    def test_tells_what_is_wrong_with_a_file(self, tmp_path, content, message):
        path = tmp_path / "a.csv"
        path.write_text(content)

        with pytest.raises(CommandError, match=message) as raised:
            run(path)

        assert raised.value.returncode == 2

    def test_tells_of_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(CommandError, match="No such file"):
            run(tmp_path / "none.csv")
