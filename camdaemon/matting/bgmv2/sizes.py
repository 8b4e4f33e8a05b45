"""How large the base network's input is, and which patches are refined: by the effort, or as the configuration says."""

from __future__ import annotations

from camdaemon.matting import Refinement
from camdaemon.matting.bgmv2.engines.factory import BaseSize
from camdaemon.matting.effort import Effort
from camdaemon.model import Selection, base_size, base_size_for_lines
from camdaemon.model.network import round_to_cells

# The best effort refines 80,000 pixels of HD and 320,000 of 4K, as the paper's authors advise.
_BEST = Effort()
# The slim network was trained on people of this scale; where more of a small frame is left, it tells them less surely.
_FEW_LINES, _MOST_SCALE = 176, 3 / 8


def choose_base_size(
    refine: Refinement, height: int, width: int, effort: Effort = _BEST, *, in_cells: bool = False
) -> BaseSize:
    """Return the size of the base input: `refine.scale` of the frame if set, else by the effort's lines.

    So 1280x720 and 1920x1080 become 320x176 with 176 lines and 480x272 with 272.

    Args:
        refine: What the configuration fixes.
        height: Of the frame.
        width: Of the frame.
        effort: The effort.
        in_cells: Whether the network takes whole cells alone, so that a scale is rounded to them.
    """
    if refine.scale:
        found = base_size(height, width, refine.scale)
        return (round_to_cells(found[0]), round_to_cells(found[1])) if in_cells else found
    lines = effort.base_side
    if in_cells and lines > _FEW_LINES:
        lines = min(lines, max(_FEW_LINES, round(_MOST_SCALE * min(height, width))))
    return base_size_for_lines(height, width, lines)


def choose_selection(refine: Refinement, height: int, width: int, effort: Effort = _BEST) -> Selection:
    """Return which patches of a frame of height × width pixels are refined; `refine` overrides `effort`."""
    pixels = round(effort.refined * height * width) if refine.pixels is None else refine.pixels
    return Selection(refine.mode, pixels, refine.threshold)
