import csv
import json
from datetime import datetime
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command

from meters.batteries.management.simulator.live import payload
from meters.batteries.quantities import NAMES, System
from meters.batteries.simulation import Design, SimulatedBattery


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.reader(file))


def times_of(rows):
    return [datetime.fromisoformat(row[0]) for row in rows[1:]]


class TestFiles:
    def test_hold_one_signal_each_at_its_own_rate(self, tmp_path, capsys):
        call_command("simulate_battery", "B1", "--files", str(tmp_path), "--days", "0.02", "--rates", "soc=7")

        folder = tmp_path / "B1"
        assert {path.stem for path in folder.iterdir()} == {name for names in NAMES.values() for name in names}
        for name, seconds in (("current", 1), ("soc", 7), ("cell_max_voltage", 5), ("temp_ambient", 30)):
            rows = rows_of(folder / f"{name}.csv")
            assert rows[0] == ["timestamp", name]
            assert {(late - early).total_seconds() for early, late in pairwise(times_of(rows))} == {seconds}
            assert all(float(row[1]) is not None for row in rows[1:])
        written = sum(len(rows_of(path)) - 1 for path in folder.iterdir())
        assert f"{written:,} rows" in capsys.readouterr().out

    def test_hold_a_system_each_where_they_are_wide(self, tmp_path):
        call_command("simulate_battery", "B1", "--files", str(tmp_path), "--days", "0.02", "--wide")

        for system in System:
            rows = rows_of(tmp_path / "B1" / f"{system}.csv")
            assert rows[0] == ["timestamp", *NAMES[system]]
            assert {(late - early).total_seconds() for early, late in pairwise(times_of(rows))} == {10}

    def test_are_the_same_for_the_same_seed(self, tmp_path, monkeypatch):
        monkeypatch.setattr("time.time", lambda: 1_760_000_000.0)
        for place in ("once", "again"):
            call_command("simulate_battery", "B1", "--files", str(tmp_path / place), "--days", "0.02", "--wide")

        once, again = (tmp_path / place / "B1" / "bms.csv" for place in ("once", "again"))
        assert once.read_bytes() == again.read_bytes()

    def test_refuse_a_rate_of_nothing_known(self, tmp_path):
        with pytest.raises(CommandError, match="soc=5"):
            call_command("simulate_battery", "B1", "--files", str(tmp_path), "--rates", "charge=5")


class TestLive:
    def test_tells_what_is_published_one_alone_or_an_array(self):
        battery = SimulatedBattery(Design(), start=1_760_000_000.0)

        one = json.loads(payload(System.BMS, battery.run(steps=1, seconds=1.0)))
        some = json.loads(payload(System.PCS, battery.run(steps=3, seconds=1.0)))

        assert list(one) == ["timestamp", *NAMES[System.BMS]]
        assert one["timestamp"] == "2025-10-09T08:53:21Z"
        assert [reading["timestamp"][-3:] for reading in some] == ["22Z", "23Z", "24Z"]
        assert all(set(reading) == {"timestamp", *NAMES[System.PCS]} for reading in some)

    @pytest.mark.django_db
    def test_asks_for_a_key(self):
        with pytest.raises(CommandError, match="--make-key"):
            call_command("simulate_battery", "B1", "--url", "http://127.0.0.1:9", "--key", "")
