from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meters.batteries.conventions import EPOCH, Terms
from meters.batteries.headings import read_layout
from meters.batteries.quantities import SIGNALS, System
from meters.batteries.services.import_rows import Plan, Source, TooDense, aligned_rows
from meters.batteries.store.signal_files import SignalFiles, head_of, signal_files
from meters.batteries.tallies import SignalTally
from tests.meters.batteries.slow_alignment import aligned

SECOND = 1_000_000
MIDNIGHT = datetime(2025, 3, 1, tzinfo=UTC)
START = (MIDNIGHT - EPOCH) // timedelta(microseconds=1)
LINE = st.tuples(st.integers(-600, 400), st.floats(-1e3, 1e3).map(lambda value: round(value, 3)) | st.just("rubbish"))


def plan_of(files: SignalFiles, folder: Path, written: dict[str, str], **terms: int) -> Plan:
    sources = []
    for place, (name, text) in enumerate(written.items()):
        path = folder / f"{place}_{name}"
        path.write_text(text)
        layout = read_layout(name, head_of(path), terms=Terms(), systems=list(System))
        target = folder / f"{place}.parquet"
        target.unlink(missing_ok=True)
        target.with_suffix(".disorder").unlink(missing_ok=True)
        staged = files.stage(path, layout, Terms(), target)
        if staged.rows:
            sources.append(Source(staged, tuple(column.name for column in layout.columns)))
    every = terms.get("every", 10) * SECOND
    firsts, lasts = [source.staged.first for source in sources], [source.staged.last for source in sources]
    low, high = (min(firsts) // every * every, (max(lasts) // every + 1) * every) if sources else (0, 0)
    names = {signal.name for signal in SIGNALS[System.BMS]}
    tolerances = dict.fromkeys(names, terms.get("tolerance", 60) * SECOND)
    return Plan(System.BMS, sources, every, tolerances, low, high, terms.get("most_rows", 500_000))


def rows_of(files: SignalFiles, plan: Plan) -> dict[int, dict[str, float]]:
    tallies = {name: SignalTally(plan.tolerances[name]) for source in plan.sources for name in source.names}
    rows: dict[int, dict[str, float]] = {}
    for part in aligned_rows(files, plan, tallies):
        for place, at in enumerate(part.times.tolist()):
            rows[at] = {name: held[place] for name, held in part.values.items() if not np.isnan(held[place])}
    return rows


def csv_of(lines: list[tuple[int, object]]) -> str:
    stamps = ((MIDNIGHT + timedelta(seconds=at)).isoformat() for at, _ in lines)
    return "timestamp,value\n" + "".join(f"{at},{value}\n" for at, (_, value) in zip(stamps, lines, strict=True))


class TestAlignedRows:
    @given(
        soc=st.lists(LINE, min_size=1, max_size=25),
        more_soc=st.lists(LINE, max_size=5),
        current=st.lists(LINE, max_size=25),
        every=st.sampled_from([1, 10, 60]),
        tolerance=st.integers(1, 90),
        most_rows=st.sampled_from([30, 500_000]),
    )
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_are_what_the_slow_model_says(
        self,
        tmp_path: Path,
        soc: list[tuple[int, object]],
        more_soc: list[tuple[int, object]],
        current: list[tuple[int, object]],
        every: int,
        tolerance: int,
        most_rows: int,
    ) -> None:
        written = {"bms_soc_1_soc.csv": csv_of(soc), "bms_current.csv": csv_of(current), "soc.csv": csv_of(more_soc)}
        with signal_files(tmp_path, memory_mb=64, threads=1) as files:
            plan = plan_of(files, tmp_path, written, every=every, tolerance=tolerance, most_rows=most_rows)
            rows = rows_of(files, plan) if plan.sources else {}

        told = {
            name: [(START + at * SECOND, float(value)) for at, value in lines if value != "rubbish"]
            for name, lines in (("soc", soc + more_soc), ("current", current))
        }
        manners = {signal.name: (signal.column, signal.manner) for signal in SIGNALS[System.BMS]}
        expected = {}
        for start in range(plan.low, plan.high, plan.every):
            values = {
                manners[name][0]: aligned(lines, start, start + plan.every, manners[name][1], tolerance * SECOND)[0]
                for name, lines in told.items()
            }
            if stands := {name: value for name, value in values.items() if not np.isnan(value)}:
                expected[start] = stands
        assert rows.keys() == expected.keys()
        for at, values in expected.items():
            assert rows[at] == pytest.approx(values, rel=1e-9, abs=1e-9)

    def test_hold_over_midnight_into_a_day_in_which_nothing_is_told(self, tmp_path: Path) -> None:
        with signal_files(tmp_path, memory_mb=64, threads=1) as files:
            plan = plan_of(files, tmp_path, {"soc.csv": csv_of([(-5, 50.0), (200_000, 51.0)])})

            assert sorted(rows_of(files, plan))[:7] == [START + at * SECOND for at in range(-10, 50, 10)] + [
                START + 200_000 * SECOND
            ]

    def test_refuse_more_rows_in_a_bucket_than_can_be_held(self, tmp_path: Path) -> None:
        with signal_files(tmp_path, memory_mb=64, threads=1) as files:
            plan = plan_of(files, tmp_path, {"soc.csv": csv_of([(0, 50.0)] * 20)}, most_rows=10)

            with pytest.raises(TooDense):
                rows_of(files, plan)


class TestSignalFiles:
    def test_tell_the_bad_lines_with_their_numbers(self, tmp_path: Path) -> None:
        path = tmp_path / "soc.csv"
        path.write_text("timestamp,soc\n2025-03-01T00:00:00Z,50\nnoon,51\n\n2025-03-01T00:00:20Z,full\n1,2,3\n")
        layout = read_layout("soc.csv", head_of(path), terms=Terms(), systems=list(System))
        with signal_files(tmp_path, memory_mb=64, threads=1) as files:
            count, bad = files.bad_lines(path, layout, Terms())

        assert count == 3
        assert [(each.line, each.reason.split(":")[0]) for each in bad] == [
            (3, "no time"),
            (5, "soc is no number"),
            (6, "3 columns instead of 2"),
        ]

    def test_note_that_a_clock_steps_back(self, tmp_path: Path) -> None:
        with signal_files(tmp_path, memory_mb=64, threads=1) as files:
            plan = plan_of(files, tmp_path, {"soc.csv": csv_of([(20, 50.0), (0, 51.0), (30, 52.0)])})

        staged = plan.sources[0].staged
        assert (staged.steps_back, staged.farthest_back, staged.rows) == (1, 20 * SECOND, 3)

    def test_leave_nothing_behind_but_what_was_staged(self, tmp_path: Path) -> None:
        with signal_files(tmp_path, memory_mb=64, threads=1):
            pass

        assert list(tmp_path.iterdir()) == []
