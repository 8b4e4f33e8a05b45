"""How large the base network's input is, and which patches are refined: by the effort, or as the configuration says."""

from __future__ import annotations

from typing import Literal

from camdaemon.matting import Refinement
from camdaemon.matting.bgmv2.engines.engine import BaseSize
from camdaemon.matting.effort import Effort, choose_ladder, vary_rate_only
from camdaemon.model.layout import Selection, base_size, base_size_for_lines, round_to_cells

Sides = Literal["any", "even", "cells"]  # that a network takes: its base input's; cells are of 16 pixels

# The best effort refines 80,000 pixels of HD and 320,000 of 4K, as the paper's authors advise.
_BEST = Effort()
# The slim network was trained on people of this scale; where more of a small frame is left, it tells them less surely.
_FEW_LINES, _MOST_SCALE = 176, 3 / 8


def choose_base_size(
    refine: Refinement, height: int, width: int, effort: Effort = _BEST, *, sides: Sides = "any"
) -> BaseSize:
    """Return the size of the base input: `refine.scale` of the frame if set, else by the effort's lines.

    So 1280x720 and 1920x1080 become 320x176 with 176 lines and 480x272 with 272.

    Args:
        refine: What the configuration fixes.
        height: Of the frame.
        width: Of the frame.
        effort: The effort.
        sides: What the network takes: a scale is rounded to that, and lines are those of whole cells in any case.
    """
    if refine.scale:
        rows, columns = base_size(height, width, refine.scale)
        return _round_side(rows, sides), _round_side(columns, sides)
    lines = effort.base_side
    if sides == "cells" and lines > _FEW_LINES:
        lines = min(lines, max(_FEW_LINES, round(_MOST_SCALE * min(height, width))))
    return base_size_for_lines(height, width, lines)


def _round_side(side: int, sides: Sides) -> int:
    if sides == "cells":
        return round_to_cells(side)
    return side if sides == "any" else max(4, side + side % 2)


def choose_selection(refine: Refinement, height: int, width: int, effort: Effort = _BEST) -> Selection:
    """Return which patches of a frame of height × width pixels are refined; `refine` overrides `effort`."""
    pixels = round(effort.refined * height * width) if refine.pixels is None else refine.pixels
    return Selection(refine.mode, pixels, refine.threshold)


class SizedMatting:
    """The part of a matting that its effort and the configuration decide; see the protocol `Matting`.

    Args:
        refine: What the configuration fixes of the refinement; the rest is up to the effort.
        device: 'cpu' or 'cuda'.
        doubts: Whether it is the slim network.
        sides: See `choose_base_size`.
    """

    name = "bgmv2"

    def __init__(self, refine: Refinement, device: str, *, doubts: bool, sides: Sides) -> None:
        self.doubts = doubts
        self.ladder = choose_ladder(device, slim=doubts)
        self.effort = self.ladder[0]
        if refine != Refinement():  # the user has chosen: only the rate is left to the governor
            self.ladder = vary_rate_only(self.effort)
        self._refine, self._sides = refine, sides

    def choose_sizes(self, height: int, width: int) -> tuple[BaseSize, Selection]:
        """Return the base input's size, and which patches are refined, of such frames at the current effort."""
        given = self._refine, height, width, self.effort
        return choose_base_size(*given, sides=self._sides), choose_selection(*given)
