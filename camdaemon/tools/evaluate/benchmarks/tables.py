"""Tables of published test sets: in the form and units of the papers, with what those print of their networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rich.table import Table

from camdaemon.tools.evaluate.drawing import Cells, draw_figure, draw_markdown, draw_terminal
from camdaemon.tools.evaluate.scores import MattingScores


class _Column(NamedTuple):
    heading: str
    figure: str  # of `MattingScores.means`
    digits: int = 2
    factor: float = 1


class _Form(NamedTuple):
    columns: tuple[_Column, ...]
    legend: str


_FORMS = {
    "photos": _Form(
        (
            _Column("SAD", "unknown SAD"),
            _Column("MSE", "unknown MSE"),
            _Column("Grad", "unknown Grad", 0, 1000),
            _Column("Conn", "unknown Conn", 0, 1000),
            _Column("FG MSE", "FG MSE"),
        ),
        "As in Tables 1 and 6 of Lin et al. 2021 (Background Matting V2), over the unknown region of a trimap: SAD in "
        "thousands, MSE and FG MSE times 1000, Grad and Conn as sums. Lower is better.",
    ),
    "clips": _Form(
        (
            _Column("MAD", "whole MAD"),
            _Column("MSE", "whole MSE"),
            _Column("Grad", "whole Grad"),
            _Column("Conn", "whole Conn"),
            _Column("dtSSD", "dtSSD"),
        ),
        "As in Table 1 of Lin et al. 2022 (Robust Video Matting), over the whole frame: MAD and MSE times 1000, Grad "
        "and Conn in thousands, dtSSD times 100. The plate is the room of a clip's first frame. Lower is better.",
    ),
}
_PAPER = "printed: "
# Lin et al. 2021, Table 1 (ResNet-50) and Table 6, with the refiner's kernel; Lin et al. 2022, Table 1 at 512x288.
_PRINTED: dict[str, dict[str, tuple[float, ...]]] = {
    "AIM": {"ResNet-50": (12.86, 12.01, 8426, 11116, 5.31)},
    "Distinctions": {
        "MobileNetV2": (10.53, 9.62, 7904, 8808, 8.19),
        "ResNet-50": (9.19, 7.08, 6345, 7216, 6.10),
        "ResNet-101": (9.30, 6.82, 6191, 7128, 7.68),
        "ResNet-50, 1x1": (9.36, 8.06, 7319, 7395, 6.92),
    },
    "PhotoMatte85": {"ResNet-50": (8.65, 9.57, 8736, 6637, 13.82)},
    "VideoMatte240K": {"MobileNetV2, 512x288": (25.19, 19.63, 2.28, 3.26, 2.74)},
}


def make_benchmark_tables(rows: list[MattingScores]) -> list[Table]:
    """Make a table for a terminal of each form that `rows` have."""
    return [
        draw_terminal(form.legend, ["matting"], [column.heading for column in form.columns], list(_lines(rows, kind)))
        for kind, form in _FORMS.items()
        if any(row.benchmark == kind for row in rows)
    ]


def make_benchmark_page(rows: list[MattingScores]) -> Cells:
    """Make the lines of a Markdown page, a table of each form that `rows` have."""
    page: Cells = []
    for kind, form in _FORMS.items():
        if lines := [[on, *cells] for on, cells in _lines(rows, kind)]:
            headings = [column.heading for column in form.columns]
            page += ["", *draw_markdown(["on", "matting"], headings, lines), "", form.legend]
    return page


def _lines(rows: list[MattingScores], kind: str) -> Iterator[tuple[str, Cells]]:
    """Yield set and cells of each matting, and of what the paper prints after the last one of a set."""
    columns, mine = _FORMS[kind].columns, [row for row in rows if row.benchmark == kind]
    for on in dict.fromkeys(row.on for row in mine):
        for row in mine:
            if row.on == on:
                means = row.means()
                yield on, [row.matting, *(draw_figure(means, *column[1:]) for column in columns)]
        for network, values in _PRINTED.get(on, {}).items():
            cells = [f"{value:.{column.digits}f}" for value, column in zip(values, columns, strict=True)]
            yield on, [_PAPER + network, *cells]
