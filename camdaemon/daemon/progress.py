"""The terminal's error stream: its console, and progress bars on it (none where it is no terminal)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

console = Console(stderr=True)


@contextlib.contextmanager
def show_progress(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Show a progress bar with the time left while the block runs.

    Args:
        what: Text before the bar.
        total: Number of steps; None: unknown; 0: no bar.

    Yields:
        The function to call after each step.
    """
    with show_bar(what, total) as update:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            update(done)

        yield advance


@contextlib.contextmanager
def show_bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar as `show_progress` does.

    Yields:
        The function to call with the number of steps that are done.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=total == 0 or not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
