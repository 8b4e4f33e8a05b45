"""Scores in the form of Table 1 of Lin et al. 2021: on the screen, as Markdown, and as JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path

from rich import box
from rich.table import Table

from camdaemon.tools.evaluate.comparison import MattingScores
from camdaemon.tools.files.writers import replace_file

# Figures by region, and figures of the whole picture.
_REGIONS = ("unknown", "whole")
_IN_REGION = ("SAD", "MSE", "Grad", "Conn", "MAD")
_OTHERS = ("FG MSE", "dtSSD")
SCORES = ("scores.md", "scores.json")
LEGEND = (
    "Lower is better; means over the pictures. unknown: over the unknown region of a trimap (Lin et al. 2021, D.2), "
    "whole: over the whole picture. SAD, Grad and Conn (Rhemann et al. 2009) in thousands, MSE, MAD and FG MSE times "
    "1000, dtSSD times 100."
)


def make_table(rows: list[MattingScores]) -> Table:
    """Make a table for a terminal of 80 columns: two lines per matting."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=LEGEND, caption_justify="left")
    for heading in ("matting", "region"):
        made.add_column(heading)
    for heading in (*_IN_REGION, *_OTHERS):
        made.add_column(heading, justify="right", no_wrap=True)
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


def make_markdown(rows: list[MattingScores], facts: dict[str, str]) -> str:
    """Make a Markdown page: `facts`, the table ('unknown / whole' in a cell), the legend."""
    heads = ["on", "matting", *_IN_REGION, *_OTHERS]
    lines = [heads, ["---", "---"] + ["---:"] * (len(heads) - 2)]
    for row in rows:
        means = row.means()
        in_region = [_both(means, name, " / ") for name in _IN_REGION]
        lines.append([row.on, row.matting, *in_region, *(_text(means, name) for name in _OTHERS)])
    listed = [f"- {name}: {fact}" for name, fact in facts.items()]
    drawn = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join(["# Scores", "", *listed, "", *drawn, "", f"Cells: unknown / whole. {LEGEND}", ""])


def _both(means: dict[str, float], name: str, between: str) -> str:
    return between.join(_text(means, f"{region} {name}") for region in _REGIONS)


def _text(means: dict[str, float], name: str) -> str:
    value = means.get(name, math.nan)
    return f"{value:.2f}" if math.isfinite(value) else "–"


def write_scores(folder: Path, rows: list[MattingScores], facts: dict[str, str]) -> list[Path]:
    """Write scores.md and scores.json (means, and the figures of every case) into `folder`; returns their paths.

    Raises:
        ConfigError: A file cannot be written.
    """
    data = {
        "facts": facts,
        "rows": [
            {"on": row.on, "matting": row.matting, "mean": _finite(row.means()), "cases": _all_finite(row)}
            for row in rows
        ],
    }
    texts = make_markdown(rows, facts), json.dumps(data, indent=1, allow_nan=False) + "\n"
    for name, text in zip(SCORES, texts, strict=True):
        with replace_file(folder / name) as partial:
            partial.write_text(text, "utf-8")
    return [folder / name for name in SCORES]


def _all_finite(row: MattingScores) -> dict[str, dict[str, float | None]]:
    return {case: _finite(figures) for case, figures in row.cases.items()}


def _finite(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: round(value, 5) if math.isfinite(value) else None for name, value in figures.items()}
