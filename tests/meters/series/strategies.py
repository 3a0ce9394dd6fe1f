"""Rows as hypothesis makes them: few keys, so that they meet often."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

any_number = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
keys = st.tuples(st.integers(1, 3), st.sampled_from([0, 1, 1343, 1344]))


def rolled_back(action: Callable[[], None]) -> None:
    with transaction.atomic():
        action()
        transaction.set_rollback(True)


@st.composite
def split_rows(draw: st.DrawFn, row: st.SearchStrategy[Any]) -> list[list[Any]]:
    """Rows of few keys, times in two months, cut into batches anywhere."""
    rows = draw(st.lists(row, max_size=30))
    cuts = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=5)))
    return [rows[start:end] for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
