"""How far the archive is, on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from meters.services.archiving import Step, Tell

_MOVING = {"exporting": "out", "filling": "back"}
_WORDS = {
    "written": "proved",
    "named": "named",
    "proved": "nothing came meanwhile",
    "filled": "filled",
    "verified": "proved",
    "committed": "done",
}


@contextmanager
def progress_shown(*, hidden: bool) -> Iterator[Tell]:
    """Show a bar a month or day on standard error within a block, which tells its steps to what this yields."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[word]}"),
        console=console,
        disable=hidden or not console.is_terminal,
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(step: Step) -> None:
            task = tasks.get(step.part)
            if task is None:
                task = tasks[step.part] = progress.add_task(step.part, total=None, word="")
            if step.name in _MOVING:
                progress.update(task, completed=step.done, total=step.total, word=_MOVING[step.name])
            elif step.name in _WORDS:
                progress.update(task, word=_WORDS[step.name])

        yield tell
