"""The live stops on the calling thread: plate matched to the picture → matte → check → composite.

Nobody waits for these: the base input is larger than live. A picture alone is matted three times: the exposure of the
second time is learnt from the first, and the mean of the second and of its mirror image has a tenth less error at the
edges. A video is matted frame by frame, as live.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError, MattingError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte, check, composite
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture, from_tensor, quiet_opencv
from camdaemon.frames.transfer import Transfer, choose_device
from camdaemon.matting import MattingSettings, Refinement, make_matting
from camdaemon.matting.bgmv2.matting import BackgroundMatting
from camdaemon.matting.effort import OFFLINE
from camdaemon.model import Output
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.store import check_shape
from camdaemon.plate.take import Plate


class WatchedMatting(BackgroundMatting):
    """Background Matting V2 that keeps what the networks gave for the last picture, for `maps`."""

    last: Output | None = None

    def __init__(self, settings: MattingSettings, on: torch.device, *, live: bool) -> None:
        super().__init__(settings.weights, settings.refinement, on)
        if not live:
            self.effort = OFFLINE
        self._network.register_forward_hook(self._keep)

    def _keep(self, network: torch.nn.Module, inputs: Any, output: Output) -> None:
        self.last = output


class Studio:
    """Mattes pictures one after the other. Made and used by one thread; keeps the plate's match between frames.

    config: matting, weights, device, match_exposure, refine are used.   live: with no more work than a live frame gets,
    to see what viewers see.   Raises ConfigError as `make_matting` does.
    """

    def __init__(self, config: Config, *, live: bool = False) -> None:
        quiet_opencv()
        on = choose_device(config.device)
        self._live = live
        settings = MattingSettings(config.weights, config.engine, config.precision, Refinement(**dict(config.refine)))
        watched = config.matting == "bgmv2"
        self.matting = (
            WatchedMatting(settings, on, live=live) if watched else make_matting(config.matting, settings, on)
        )
        self._transfer = Transfer(on, Size(64, 64))  # only `upload_picture` is used, which takes any size
        self._match = config.match_exposure
        self._matcher = self._new_matcher()

    def upload(self, rgb: Picture) -> Tensor:
        """uint8 (H,W,3) → (1,3,H,W), always floats: the published formulation, which also gives its maps."""
        return pixels.unit(self._transfer.upload_picture(rgb)).contiguous()

    def still(self, rgb: Picture, plate: Plate) -> Matte:
        """The matte of one picture, uint8 (H,W,3), by a plate of the same size, both multiples of 4.

        The plate is matched to all of the picture, then to what the first matte saw as room. Raises MattingError.
        """
        src = self.upload(rgb)
        self._matcher = self._new_matcher()
        if self._match:
            matte = self._matte(src, plate, 0)
            self._matcher = self._new_matcher()  # a used one would go but a part of the way to the new gain
            self._matcher.upload_clean(plate)
            self._matcher.learn(matte.alpha)
        mirrored = None if self._live else self._mirrored(src, plate)
        matte = self._matte(src, plate, 0)
        return matte if mirrored is None else _mean(matte, mirrored)

    def frame(self, rgb: Picture, plate: Plate, seq: int) -> Matte:
        """The matte of a video's next frame, as live: matched by what the frame before saw as room.

        Begin with `rewind`. Raises MattingError.
        """
        matte = self._matte(self.upload(rgb), plate, seq)
        self._matcher.learn(matte.alpha)
        return matte

    def rewind(self) -> None:
        """Forget the exposure of the video before."""
        self._matcher = self._new_matcher()

    def clean(self, plate: Plate) -> Tensor:
        """`plate` as a tensor (1,3,H,W), 0..1."""
        return self._matcher.upload_clean(plate)

    def maps(self) -> tuple[Picture, Picture]:
        """(error, refined) of the last picture, uint8 (H,W): the predicted error enlarged, 0..255; 255 = refined.

        Raises ConfigError for a matting that has none.
        """
        last = self.matting.last if isinstance(self.matting, WatchedMatting) else None
        if last is None:
            raise ConfigError(
                f"the matting {self.matting.name} predicts no error and refines nothing; "
                "leave out --error and --refined, or: --matting bgmv2"
            )
        size = last.alpha.shape[2:]
        error = F.interpolate(last.error_coarse.float(), size, mode="bilinear", align_corners=False)
        refined = F.interpolate(last.refined.float(), size, mode="nearest")
        return from_tensor(error), from_tensor(refined)

    def _matte(self, src: Tensor, plate: Plate, seq: int) -> Matte:
        matte = self.matting(src, self._matcher.match(plate, src), seq)
        check(matte, matte.foreground, seq, 1.0)
        return matte

    def _mirrored(self, src: Tensor, plate: Plate) -> Matte:
        """The matte of the mirrored picture, mirrored back; in memory of its own."""
        seen = self.matting(src.flip(3), self._matcher.match(plate, src).flip(3), 0)
        return replace(seen, alpha=seen.alpha.flip(3), foreground=seen.foreground.flip(3))

    def _new_matcher(self) -> PlateMatcher:
        return PlateMatcher(self.upload, enabled=self._match)


def _mean(one: Matte, other: Matte) -> Matte:
    return replace(one, alpha=(one.alpha + other.alpha) / 2, foreground=(one.foreground + other.foreground) / 2)


def shown_alpha(matte: Matte) -> Tensor:
    """(1,1,H,W), 0..1: alpha as `composite` uses it, its outermost 2 % stretched to exactly 0 and 1.

    A white person over a black backdrop is that alpha.
    """
    return composite(replace(matte, foreground=torch.ones_like(matte.alpha)), torch.zeros_like(matte.alpha))


def covers_too_much(matte: Matte, most: float) -> str:
    """Why `matte` would be the privacy card in a live picture; '' when it would not."""
    try:
        check(matte, matte.foreground, matte.seq, most)
    except MattingError as exc:
        return str(exc)
    return ""


def padded(rgb: Picture) -> Picture:
    """`rgb` (h,w,3) with its right and lower edge repeated up to multiples of 4, at least 64. Raises ConfigError."""
    height, width = rgb.shape[:2]
    if max(height, width) > 8192:
        raise ConfigError(f"the picture is {width}x{height}; at most 8192 pixels a side can be matted: scale it down")
    down, right = (max(64, -(-side // 4) * 4) - side for side in (height, width))
    return np.asarray(cv2.copyMakeBorder(rgb, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def fitted(plate: Picture, like: Picture, name: str) -> Picture:
    """`plate` at the size of the picture `like`. Raises ConfigError when it has another shape."""
    (height, width), (high, wide) = plate.shape[:2], like.shape[:2]
    check_shape(plate, (wide, high), name, "camdaemon image --plate FILE")
    if (width, height) == (wide, high):
        return plate
    way = cv2.INTER_AREA if width > wide else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plate, (wide, high), interpolation=way), np.uint8)
