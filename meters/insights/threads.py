"""One thread a process: workers share the cores among themselves already."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep the libraries of numbers to one thread for the block."""
    import sklearn  # noqa: F401 - brings its OpenMP, which is to be limited with the others
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
