"""Scores on composites that are the same every time, and a picture of the first few."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.matting.effort import LADDER
from camdaemon.model import BackgroundMattingV2, base_size_for_lines

from .rotation import Rotation
from .scenes import Cast, Sample, Scenes

_BATCH = 8
_SHOWN = 8
_SEED = 20_201


class Scores(NamedTuple):
    """Means over the validation composites: |α − α*|, its square, and |α − α*| where the truth is neither 0 nor 1."""

    mad: float
    mse: float
    soft: float


class Validation:
    """`count` composites of the validation split, height × width, made anew each time from fixed seeds."""

    def __init__(self, scenes: Scenes, count: int, height: int, width: int, *, coarse: bool) -> None:
        """coarse: score the base network alone, at the composites' own size."""
        self._scenes, self._count, self._size, self._coarse = scenes, count, (height, width), coarse
        self._batch = _BATCH if height < 400 else 2
        self._people = Rotation(len(scenes.people), _SEED)
        self._rooms = Rotation(len(scenes.plates), _SEED + 1)

    @torch.no_grad()
    def score(self, network: BackgroundMattingV2, picture: Path | None = None) -> Scores:
        """Scores `network` (left in evaluation mode); writes `picture` (PNG): src, plate, truth, alpha, cut-out."""
        network.eval()
        sums, shown = torch.zeros(3), list[Tensor]()
        batches = range(0, self._count, self._batch)
        for start in batches:
            sample = self._sample(start)
            alpha, foreground = found(network, sample, coarse=self._coarse)
            wrong = (alpha - sample.alpha).abs()
            soft = ((sample.alpha > 0.02) & (sample.alpha < 0.98)).float()
            parts = [wrong.mean(), wrong.square().mean(), (wrong * soft).sum() / soft.sum().clamp(min=1)]
            sums += torch.stack(parts).cpu()
            if start < _SHOWN:
                shown.append(_row(sample, alpha, foreground))
        if picture is not None:
            _write(torch.cat(shown), picture)
        return Scores(*(sums / len(batches)).tolist())

    def _sample(self, start: int) -> Sample:
        cast = Cast(
            self._people.take(start, self._batch),
            self._people.take(start + self._count, self._batch),
            self._rooms.take(start, self._batch),
        )
        return self._scenes.batch(cast, _SEED + start, *self._size)


def found(network: BackgroundMattingV2, sample: Sample, *, coarse: bool) -> tuple[Tensor, Tensor]:
    """alpha (B,1,H,W) and foreground (B,3,H,W), held to 0..1: of the base network alone if `coarse`, else of all."""
    if coarse:
        base = network.base(sample.src, sample.plate)
        return base.alpha.clamp(0, 1), (base.residual + sample.src).clamp(0, 1)
    size = base_size_for_lines(sample.src.shape[2], sample.src.shape[3], LADDER[0].base_side)
    out = network(sample.src, sample.plate, base=size)
    return out.alpha, out.foreground


def _row(sample: Sample, alpha: Tensor, foreground: Tensor) -> Tensor:
    """(B,3,h,5·w): picture, plate, true alpha, alpha, foreground before green; at most 320 wide each."""
    green = torch.tensor([0.1, 0.7, 0.2], device=alpha.device).view(1, 3, 1, 1)
    parts = [sample.src, sample.plate, sample.alpha.expand_as(sample.src), alpha.expand_as(sample.src)]
    parts.append(foreground * alpha + green * (1 - alpha))
    if alpha.shape[3] > 320:
        parts = [F.interpolate(part, (alpha.shape[2] * 320 // alpha.shape[3], 320), mode="area") for part in parts]
    return torch.cat(parts, 3).cpu()


def _write(rows: Tensor, path: Path) -> None:
    grid = torch.cat(list(rows), 1).permute(1, 2, 0).mul(255).round().clamp(0, 255)
    cv2.imwrite(str(path), grid.numpy().astype(np.uint8)[:, :, ::-1])
