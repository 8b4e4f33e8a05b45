"""Scores on the screen, as Markdown, and as JSON: in the form of Table 1 of Lin et al. 2021, and what leaks."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rich.table import Table

from camdaemon.tools.evaluate.benchmarks.tables import make_benchmark_page, make_benchmark_tables
from camdaemon.tools.evaluate.drawing import Cells, draw_figure, draw_markdown, draw_terminal
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


def make_tables(rows: list[MattingScores]) -> list[Table]:
    """Make tables for a terminal of 80 columns: of published test sets, the papers' figures, leak and holes."""
    papers, seen = _choose_papers(rows), _choose_seen(rows)
    made = make_benchmark_tables(rows)
    if papers:
        lines = [(row.on, _paper_cells(row, "\n", "\n")) for row in papers]
        cells = [(on, [name, "\n".join(_REGIONS), *figures]) for on, (name, *figures) in lines]
        made.append(draw_terminal(LEGEND, ["matting", "region"], [*_IN_REGION, *_OTHERS], cells))
    if seen:
        cells = [(row.on, [_name_fault(row), *_leak_cells(row)]) for row in seen]
        made.append(draw_terminal(LEAK_LEGEND, ["plate, matting"], ["MAD", *_LEAKS, "holes", "cards"], cells))
    return made


def make_markdown(rows: list[MattingScores], facts: dict[str, str]) -> str:
    """Make a Markdown page: `facts`, the tables ('unknown / whole' in a cell of the papers'), the legends."""
    page = ["# Scores", "", *(f"- {name}: {fact}" for name, fact in facts.items()), *make_benchmark_page(rows)]
    papers, seen = _choose_papers(rows), _choose_seen(rows)
    if papers:
        lines = [[row.on, *_paper_cells(row, " / ")] for row in papers]
        table = draw_markdown(["on", "matting"], [*_IN_REGION, *_OTHERS], lines)
        page += ["", *table, "", f"Cells: unknown / whole. {LEGEND}"]
    if seen:
        lines = [[row.on, row.fault, row.matting, *_leak_cells(row)] for row in seen]
        heads = ["MAD", *(f"leak {name}" for name in _LEAKS), "holes", "cards"]
        page += ["", *draw_markdown(["on", "plate", "matting"], heads, lines), "", LEAK_LEGEND]
    return "\n".join([*page, ""])


def _choose_papers(rows: list[MattingScores]) -> list[MattingScores]:
    return [row for row in rows if not row.fault and not row.benchmark]


def _choose_seen(rows: list[MattingScores]) -> list[MattingScores]:
    return [row for row in rows if "holes" in row.means()]


def _name_fault(row: MattingScores) -> str:
    return f"{row.fault}\n  {row.matting}" if row.fault else row.matting


def _paper_cells(row: MattingScores, between: str, above: str = "") -> Cells:
    """Return the name of a matting and its figures: of both regions with `between`, others below `above`."""
    means = row.means()
    in_region = [between.join(draw_figure(means, f"{region} {name}") for region in _REGIONS) for name in _IN_REGION]
    return [row.matting, *in_region, *(above + draw_figure(means, name) for name in _OTHERS)]


def _leak_cells(row: MattingScores) -> Cells:
    means, leaks = row.means(), row.leaks()
    return [
        draw_figure(means, "whole MAD"),
        *(draw_figure(leaks, name) for name in _LEAKS),
        draw_figure(means, "holes"),
        draw_figure(leaks, "cards", 0),
    ]


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
