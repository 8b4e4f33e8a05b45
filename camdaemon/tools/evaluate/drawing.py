"""Cells as a table in a terminal and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

from rich import box
from rich.table import Table

from camdaemon.tools.evaluate.metrics import Figures

Cells: TypeAlias = list[str]


def draw_terminal(legend: str, words: Cells, figures: Cells, lines: Iterable[tuple[str, Cells]]) -> Table:
    """Draw a table for a terminal of 80 columns.

    Args:
        legend: Below it.
        words: Headings of the columns of text.
        figures: Headings of the columns of figures.
        lines: What each line is about, which is drawn once above all lines of the same, and its cells.
    """
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=legend, caption_justify="left")
    for heading in words:
        made.add_column(heading)
    for heading in figures:
        made.add_column(heading, justify="right", no_wrap=True)
    on = ""
    for about, cells in lines:
        if about != on:
            on = about
            made.add_row(on, style="bold")
        made.add_row(*cells)
    return made


def draw_markdown(words: Cells, figures: Cells, lines: Iterable[Cells]) -> Cells:
    """Return the lines of a table in Markdown, see `draw_terminal`; each line has its own words first."""
    table = [[*words, *figures], ["---"] * len(words) + ["---:"] * len(figures), *lines]
    return [f"| {' | '.join(line)} |" for line in table]


def draw_figure(figures: Figures, name: str, digits: int = 2, factor: float = 1) -> str:
    """Return a figure times `factor` as text; – if it is not there or nothing was measured."""
    value = figures.get(name, math.nan)
    return f"{factor * value:.{digits}f}" if math.isfinite(value) else "–"
