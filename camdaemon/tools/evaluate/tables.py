"""Scores on the screen, as Markdown, and as JSON: in the form of Table 1 of Lin et al. 2021, and what leaks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TypeAlias

from rich import box
from rich.table import Table

from camdaemon.tools.evaluate.metrics import Figures
from camdaemon.tools.evaluate.scores import MattingScores
from camdaemon.tools.files.writers import replace_file

# Figures by region, and figures of the whole picture.
_REGIONS = ("unknown", "whole")
_IN_REGION = ("SAD", "MSE", "Grad", "Conn", "MAD")
_OTHERS = ("FG MSE", "dtSSD")
_LEAKS = ("mean", "p99", "worst", ">10 %", "ever")  # of `MattingScores.leaks`
SCORES = ("scores.md", "scores.json")
LEGEND = (
    "Lower is better; means over the pictures. unknown: over the unknown region of a trimap (Lin et al. 2021, D.2), "
    "whole: over the whole picture. SAD, Grad and Conn (Rhemann et al. 2009) in thousands, MSE, MAD and FG MSE times "
    "1000, dtSSD times 100."
)
LEAK_LEGEND = (
    "In percent. Leak: share of the room (true alpha 0, at least 12 pixels of 720 lines from the person) published "
    "with an alpha over 0.1: mean, 99th percentile and worst of the pictures, share of pictures over 10 %, and what of "
    "a clip's room leaked in any scored frame. Holes: share of the solid person (over 0.99) published with less than "
    "0.7. Cards: pictures that viewers would not see, which are in neither figure. MAD times 1000."
)
Cells: TypeAlias = list[str]


def make_tables(rows: list[MattingScores]) -> list[Table]:
    """Make tables for a terminal of 80 columns: the papers' figures, except of faults; then leak and holes."""
    papers = [row for row in rows if not row.fault]
    seen = [row for row in rows if "holes" in row.means()]
    return [make(some) for make, some in ((_make_paper_table, papers), (_make_leak_table, seen)) if some]


def _make_paper_table(rows: list[MattingScores]) -> Table:
    """Two lines per matting."""
    made = _start_table(LEGEND, ["matting", "region"], [*_IN_REGION, *_OTHERS])
    on = ""
    for row in rows:
        if row.on != on:
            on = row.on
            made.add_row(on, style="bold")
        means = row.means()
        in_region = [_both(means, name, "\n") for name in _IN_REGION]
        others = ["\n" + _text(means, name) for name in _OTHERS]
        made.add_row(row.matting, "\n".join(_REGIONS), *in_region, *others)
    return made


def _make_leak_table(rows: list[MattingScores]) -> Table:
    made = _start_table(LEAK_LEGEND, ["plate, matting"], ["MAD", *_LEAKS, "holes", "cards"])
    on = ""
    for row in rows:
        if row.on != on:
            on = row.on
            made.add_row(on, style="bold")
        made.add_row(f"{row.fault}\n  {row.matting}" if row.fault else row.matting, *_leak_cells(row))
    return made


def _start_table(legend: str, words: Cells, figures: Cells) -> Table:
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=legend, caption_justify="left")
    for heading in words:
        made.add_column(heading)
    for heading in figures:
        made.add_column(heading, justify="right", no_wrap=True)
    return made


def make_markdown(rows: list[MattingScores], facts: dict[str, str]) -> str:
    """Make a Markdown page: `facts`, the tables ('unknown / whole' in a cell of the first), the legends."""
    page = ["# Scores", "", *(f"- {name}: {fact}" for name, fact in facts.items())]
    papers, seen = [row for row in rows if not row.fault], [row for row in rows if "holes" in row.means()]
    if papers:
        lines = [_paper_cells(row) for row in papers]
        page += ["", *_draw(["on", "matting"], [*_IN_REGION, *_OTHERS], lines), "", f"Cells: unknown / whole. {LEGEND}"]
    if seen:
        lines = [[row.on, row.fault, row.matting, *_leak_cells(row)] for row in seen]
        heads = ["MAD", *(f"leak {name}" for name in _LEAKS), "holes", "cards"]
        page += ["", *_draw(["on", "plate", "matting"], heads, lines), "", LEAK_LEGEND]
    return "\n".join([*page, ""])


def _draw(words: Cells, figures: Cells, lines: list[Cells]) -> Cells:
    table = [[*words, *figures], ["---"] * len(words) + ["---:"] * len(figures), *lines]
    return [f"| {' | '.join(line)} |" for line in table]


def _paper_cells(row: MattingScores) -> Cells:
    means = row.means()
    in_region = [_both(means, name, " / ") for name in _IN_REGION]
    return [row.on, row.matting, *in_region, *(_text(means, name) for name in _OTHERS)]


def _leak_cells(row: MattingScores) -> Cells:
    means, leaks = row.means(), row.leaks()
    return [
        _text(means, "whole MAD"),
        *(_text(leaks, name) for name in _LEAKS),
        _text(means, "holes"),
        f"{leaks['cards']:.0f}",
    ]


def _both(means: Figures, name: str, between: str) -> str:
    return between.join(_text(means, f"{region} {name}") for region in _REGIONS)


def _text(means: Figures, name: str) -> str:
    value = means.get(name, math.nan)
    return f"{value:.2f}" if math.isfinite(value) else "–"


def write_scores(folder: Path, rows: list[MattingScores], facts: dict[str, str]) -> list[Path]:
    """Write scores.md and scores.json (means, leaks, and the figures of every case) into `folder`; returns their paths.

    Raises:
        ConfigError: A file cannot be written.
    """
    data = {"facts": facts, "rows": [_as_data(row) for row in rows]}
    texts = make_markdown(rows, facts), json.dumps(data, indent=1, allow_nan=False) + "\n"
    for name, text in zip(SCORES, texts, strict=True):
        with replace_file(folder / name) as partial:
            partial.write_text(text, "utf-8")
    return [folder / name for name in SCORES]


def _as_data(row: MattingScores) -> dict[str, object]:
    return {
        "on": row.on,
        "plate": row.fault,
        "matting": row.matting,
        "mean": _finite(row.means()),
        "leak": _finite(row.leaks()),
        "cases": {case: _finite(figures) for case, figures in row.cases.items()},
    }


def _finite(figures: Figures) -> dict[str, float | None]:
    return {name: round(value, 5) if math.isfinite(value) else None for name, value in figures.items()}
