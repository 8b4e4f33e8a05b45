"""Which 4×4 patches of the frame are refined, and cutting them out and setting them back (Lin et al. 2021 §3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

SIDE = 4  # pixels of the frame along a patch
WINDOW = 8  # pixels the refiner looks at to make one patch, at either of its two resolutions


@dataclass(frozen=True, slots=True)
class Selection:
    """Which patches to refine.

    sampling: the `pixels` pixels (so pixels/16 patches) of each frame with the highest predicted error, those whose
    error is 0 skipped.   thresholding: where the predicted error is above `threshold`.   full: everything.
    """

    mode: Literal["sampling", "thresholding", "full"] = "sampling"
    pixels: int = 80_000
    threshold: float = 0.1


class Places(NamedTuple):
    """Chosen patches. batch, row, column: int64 (N,), in patches.

    counts: bool (N,), which of them count; None when all do.   chosen: bool (B,1,H/4,W/4), those that count.
    """

    batch: Tensor
    row: Tensor
    column: Tensor
    counts: Tensor | None
    chosen: Tensor


def choose(error: Tensor, selection: Selection, *, fixed_count: bool) -> Places:
    """The patches to refine, from the predicted error (B,1,H/4,W/4); for the modes sampling and thresholding.

    fixed_count: sampling always lists pixels/16 patches and marks those that do not count, since leaving them out
    would make the host wait for an accelerator. (Thresholding makes it wait in any case.)
    """
    count, _, rows, columns = error.shape
    if selection.mode == "thresholding":
        chosen = error > selection.threshold
    else:
        flat = error.flatten(1)
        best = flat.topk(min(max(selection.pixels // SIDE**2, 0), rows * columns), dim=1, sorted=False)
        likely = best.values > 0
        chosen = torch.zeros_like(flat, dtype=torch.bool).scatter(1, best.indices, likely).view_as(error)
        if fixed_count:
            batch = torch.arange(count, device=error.device).repeat_interleave(best.indices.shape[1])
            index = best.indices.flatten()
            return Places(batch, index // columns, index % columns, likely.flatten(), chosen)
    batch, _, row, column = chosen.nonzero().unbind(1)
    return Places(batch, row, column, None, chosen)


def cut(x: Tensor, places: Places, *, step: int, window: int) -> Tensor:
    """Windows of `window`×`window` pixels around each chosen patch, zero outside of the picture.

    x: (B,C,rows·step,columns·step) with `step` pixels along a patch → (N,C,window,window), in channels_last.
    """
    count, channels, height, width = x.shape
    offset = torch.arange(window, device=x.device) - (window - step) // 2
    y = places.row[:, None] * step + offset
    x_ = places.column[:, None] * step + offset
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x_ >= 0) & (x_ < width))[:, None, :]
    y, x_ = y.clamp(0, height - 1), x_.clamp(0, width - 1)
    index = (places.batch[:, None, None] * height + y[:, :, None]) * width + x_[:, None, :]
    table = x.permute(0, 2, 3, 1).reshape(count * height * width, channels)
    rows = table.index_select(0, index.flatten()).view(-1, window, window, channels)
    return rows.mul_(inside[..., None]).permute(0, 3, 1, 2)


def paste(whole: Tensor, fine: Tensor, places: Places) -> None:
    """Writes the patches `fine` (N,C,4,4) into `whole` (B,C,H,W), in place; where none counts, it stays as it is."""
    count, channels, height, width = whole.shape
    tiles = whole.view(count, channels, height // SIDE, SIDE, width // SIDE, SIDE).permute(0, 2, 4, 1, 3, 5)
    fine = fine.to(whole.dtype)
    if places.counts is not None:
        fine = torch.where(places.counts[:, None, None, None], fine, tiles[places.batch, places.row, places.column])
    tiles[places.batch, places.row, places.column] = fine
