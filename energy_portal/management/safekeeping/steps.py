"""The steps of a long command on the terminal, each with its bar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Steps:
    """Shows one bar a step."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @classmethod
    @contextmanager
    def shown(cls, console: Console) -> Iterator["Steps"]:
        """Show the steps of a block on a console."""
        with Progress(
            TextColumn("{task.description:<20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        ) as progress:
            yield cls(progress)

    @contextmanager
    def step(self, name: str, *, total: int | None = None) -> Iterator[Callable[[], None]]:
        """Run a step; the block gets what it calls after each thing that is done."""
        task = self._progress.add_task(name, total=total)
        yield lambda: self._progress.advance(task)
        done = self._progress.tasks[task].completed
        self._progress.update(task, total=total or done or 1, completed=total or done or 1)
