"""A bar on stderr for work whose share is known: on a terminal only, gone when the work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def share_bar(
    title: str, *, is_wanted: bool = True, console: Console | None = None
) -> Iterator[Callable[[float], None]]:
    """A call that shows how much is done, from 0 to 1; it does nothing where stderr is no terminal."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    is_hidden = not (is_wanted and console.file.isatty())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=is_hidden, transient=True) as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda share: progress.update(task, completed=share)
