from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.series.writer import Outcome
from tests.meters.series.samples import (
    SAMPLES,
    Sample,
    samples_of,
    slot,
    write_committed,
)
from tests.meters.series.strategies import any_number, keys, rolled_back, split_rows

STORED, DUPLICATE, CONFLICT = Outcome.STORED, Outcome.DUPLICATE, Outcome.CONFLICT


@pytest.mark.usefixtures("samples")
class TestWriteJoining:
    def test_fills_what_is_missing_and_keeps_what_stands(self):
        write_committed(SAMPLES, samples_of([(1, 0)], power=[2.5], received_at=[slot(1)]))

        result = write_committed(SAMPLES, samples_of([(1, 0)], count=[4], state=["on"], received_at=[slot(9)]))

        assert result.outcomes == [STORED]
        sample = Sample.objects.get()
        assert (sample.power, sample.count, sample.state, sample.received_at) == (2.5, 4, "on", slot(1))

    def test_calls_a_row_that_adds_nothing_a_duplicate(self):
        rows = samples_of([(1, 0)], power=[0.1], energy=[Decimal("1.005")], online=[False], level=[0.1])
        write_committed(SAMPLES, rows)

        again = write_committed(SAMPLES, rows)
        less = write_committed(SAMPLES, samples_of([(1, 0)], power=[0.1]))

        assert again.outcomes == less.outcomes == [DUPLICATE]

    def test_calls_a_row_that_contradicts_a_conflict_and_still_fills_what_was_missing(self):
        write_committed(SAMPLES, samples_of([(1, 0)], power=[1.0]))

        result = write_committed(SAMPLES, samples_of([(1, 0)], power=[2.0], count=[3]))

        assert result.outcomes == [CONFLICT]
        assert result.standing == {0: (1.0, None, None, 3, None, None, None)}

    def test_joins_rows_of_one_batch(self):
        result = write_committed(
            SAMPLES, samples_of([(1, 0)] * 4, power=[None, 1.0, None, 2.0], count=[None, None, 3, None])
        )

        assert result.outcomes == [DUPLICATE, STORED, STORED, CONFLICT]
        assert Sample.objects.values_list("power", "count").get() == (1.0, 3)

    def test_stores_a_row_that_measured_nothing_once(self):
        rows = samples_of([(1, 0), (1, 0)])

        assert write_committed(SAMPLES, rows).outcomes == [STORED, DUPLICATE]
        assert write_committed(SAMPLES, rows).outcomes == [DUPLICATE, DUPLICATE]

    def test_takes_nan_for_missing(self):
        write_committed(SAMPLES, samples_of([(1, 0)], power=np.array([np.nan]), level=[float("nan")]))

        assert Sample.objects.values_list("power", "level").get() == (None, None)

    @any_number
    @given(
        split_rows(
            st.tuples(keys, st.none() | st.integers(0, 2), st.none() | st.booleans(), st.none() | st.sampled_from("ab"))
        )
    )
    def test_ends_in_one_state_however_rows_are_split(self, batches):
        def check() -> None:
            truth: dict[tuple[int, datetime], list[Any]] = {}
            for batch in batches:
                agrees = []
                for (device, number), *measures in batch:
                    held = truth.setdefault((device, slot(number)), [None] * 3)
                    held[:] = [old if old is not None else new for old, new in zip(held, measures, strict=True)]
                    agrees.append(all(new is None or new == old for old, new in zip(held, measures, strict=True)))
                count, online, state = ([row[at] for row in batch] for at in (1, 2, 3))
                result = write_committed(
                    SAMPLES, samples_of([row[0] for row in batch], count=count, online=online, state=state)
                )
                assert [outcome is not CONFLICT for outcome in result.outcomes] == agrees
            rows = Sample.objects.values_list("device", "time", "count", "online", "state")
            assert {(device, time): values for device, time, *values in rows} == truth

        rolled_back(check)
