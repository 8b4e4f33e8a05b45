"""The 4×4 patches that are refined: choosing them, cutting windows out, pasting results (Lin et al. 2021 §3.3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from camdaemon.model.layout import SIDE, Selection

WINDOW = 8  # pixels along the refiner's input for one patch, at both of its resolutions


class PatchPlaces(NamedTuple):
    """Places of the chosen patches.

    Attributes:
        batch: int64 (N,), index of the picture.
        row: int64 (N,), in patches.
        column: int64 (N,), in patches.
        counts: bool (N,), which of them count; None: all.
        chosen: bool (B,1,H/4,W/4), those that count.
    """

    batch: Tensor
    row: Tensor
    column: Tensor
    counts: Tensor | None
    chosen: Tensor


def choose_patches(error: Tensor, selection: Selection, *, fixed_count: bool) -> PatchPlaces:
    """Choose the patches to refine; for the modes "sampling" and "thresholding".

    Args:
        error: Predicted error, (B,1,H/4,W/4).
        selection: The rule.
        fixed_count: With "sampling", always list pixels/16 patches and mark those that do not count: dropping them
            would make the host wait for the accelerator. ("Thresholding" waits in any case.)
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
            return PatchPlaces(batch, index // columns, index % columns, likely.flatten(), chosen)
    batch, _, row, column = chosen.nonzero().unbind(1)
    return PatchPlaces(batch, row, column, None, chosen)


def cut_windows(x: Tensor, places: PatchPlaces, *, step: int, window: int) -> Tensor:
    """Cut a window around each chosen patch, zero outside the picture.

    Args:
        x: (B,C,rows·step,columns·step).
        places: The chosen patches.
        step: Pixels of `x` along a patch.
        window: Pixels along a window.

    Returns:
        (N,C,window,window), channels_last.
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


def paste_patches(whole: Tensor, fine: Tensor, places: PatchPlaces) -> None:
    """Write the patches `fine` (N,C,4,4) that count into `whole` (B,C,H,W), in place."""
    count, channels, height, width = whole.shape
    tiles = whole.view(count, channels, height // SIDE, SIDE, width // SIDE, SIDE).permute(0, 2, 4, 1, 3, 5)
    fine = fine.to(whole.dtype)
    if places.counts is not None:
        fine = torch.where(places.counts[:, None, None, None], fine, tiles[places.batch, places.row, places.column])
    tiles[places.batch, places.row, places.column] = fine
