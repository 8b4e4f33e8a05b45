"""The bar over a batch of films: frames a second, and the time left over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from camdaemon.daemon.progress import console


class ShowFrames(Protocol):
    """Shows how far a film is."""

    def __call__(self, number: int, name: str, frames: int) -> None:
        """Show that `frames` of the film `name`, the `number`-th from 0, are done. Any thread may call it."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if not task.speed else f"{task.speed:.1f} frames/s", style="progress.data.speed")


@contextmanager
def show_frames(counts: Sequence[int | None]) -> Iterator[ShowFrames]:
    """Show a bar over all films of a batch while the block runs.

    Args:
        counts: About how many frames each film has; None: unknown.

    Yields:
        What shows how far the films are.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    known = [count or 0 for count in counts]
    total = None if None in counts else sum(known)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)

        def show(number: int, name: str, frames: int) -> None:
            which = f"{number + 1}/{len(known)} " if len(known) > 1 else ""
            printable = f"{which}{name}".encode(errors="backslashreplace").decode()
            bar.update(task, completed=sum(known[:number]) + frames, description=printable)

        yield show
