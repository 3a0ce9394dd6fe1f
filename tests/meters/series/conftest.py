"""Tables of the tests' own, and no memory of partitions that another test rolled back or dropped."""

from collections.abc import Iterator

import pytest

from meters.series.partitions import forget_partitions
from tests.meters.series.samples import READINGS, SAMPLES, create_samples, drop_samples


@pytest.fixture(autouse=True)
def no_known_partitions() -> Iterator[None]:
    forget_partitions(READINGS)
    forget_partitions(SAMPLES)
    yield
    forget_partitions(READINGS)
    forget_partitions(SAMPLES)


@pytest.fixture
def samples(db: None) -> None:
    """The table of samples, gone with the test's transaction."""
    create_samples()


@pytest.fixture
def committed_samples(transactional_db: None) -> Iterator[None]:
    """The table of samples, seen by every connection."""
    create_samples()
    yield
    drop_samples()
