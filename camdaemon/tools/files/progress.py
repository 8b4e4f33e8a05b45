"""Messages on the terminal's error stream: a progress bar (not on a pipe), and warnings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

console = Console(stderr=True)


def warn(text: str) -> None:
    """Print a warning, above the progress bar if there is one."""
    console.print(text, style="yellow", highlight=False, soft_wrap=True)


@contextlib.contextmanager
def show_progress(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Show a progress bar while the block runs.

    Args:
        what: Text before the bar.
        total: Number of steps; None: unknown; 0: no bar.

    Yields:
        The function to call after each step.
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
        yield lambda: bar.advance(task)
