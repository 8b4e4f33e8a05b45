"""The live stops on the calling thread: plate matched to the picture → matte → check → composite.

The base input is larger than live, as no viewer waits. A single picture is matted three times: first to find its
exposure, then as it is and mirrored; the mean of those two has a tenth less error at the edges. A video is matted frame
by frame, as live.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.config.schema import Config
from camdaemon.daemon.build import matting_settings
from camdaemon.errors import ConfigError, MattingError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte, check, composite
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture, from_tensor, quiet_opencv
from camdaemon.frames.transfer import Transfer, choose_device
from camdaemon.matting import Matting, Purpose, find_matting, make_matting, require_no_plate
from camdaemon.matting.bgmv2.matting import BackgroundMatting, RefinementMaps
from camdaemon.matting.effort import OFFLINE
from camdaemon.model import SIDE
from camdaemon.plate.align import PlateAligner
from camdaemon.plate.gate import judge
from camdaemon.plate.match import PlateMatcher, choose_side, count_blocks
from camdaemon.plate.parts import Plate
from camdaemon.plate.pieces import close_margins
from camdaemon.plate.store import check_shape
from camdaemon.plate.unknown import fill_unknown, make_blank_plate
from camdaemon.tools.files.progress import warn

_LARGEST_SIDE = 8192  # pixels
_UNFIT = "the plate does not fit, wherever the camera looked"
_DOUBTFUL = 0.1  # of the room's blocks differ from the plate; less is not worth a number


class OfflinePipeline:
    """Mattes pictures one after the other. Created and used by one thread; keeps the plate's match between frames.

    Args:
        config: Its matting, weights, device, match_exposure and refine are used.
        live: Spend no more work than on a live frame, to see what viewers see.
        plates: Whether there are plates; weights that can do without are needed else.
        in_bytes: On a CPU, run the network on bytes, by the configuration's engine and precision, as the daemon does;
            else as published, in floats.
        align: Whether plates are brought to where the camera looks in each picture.

    Raises:
        ConfigError: As `make_matting` does, or plates are needed and there are none.
    """

    def __init__(
        self,
        config: Config,
        *,
        live: bool = False,
        plates: bool = True,
        in_bytes: bool = False,
        align: bool = False,
    ) -> None:
        quiet_opencv()
        self._config, self._align = config, align
        self._alone: OfflinePipeline | None = None  # what works without a plate, once it was needed
        self._aligner: tuple[Plate, PlateAligner] | None = None
        on = choose_device(config.device)
        self._live, self._plates, self._in_bytes = live, plates, in_bytes
        self.maps: RefinementMaps | None = None  # of the last picture
        self.matting = self._make_matting(config, on)
        if not plates:
            require_no_plate(self.matting)
        self._transfer = Transfer(on, Size(64, 64))  # used for `upload_picture` only, which takes any size
        self._match = config.match_exposure
        self._before: Picture | None = None  # the alpha of a video's last frame
        self._matcher = self._make_matcher()
        self._room: tuple[Plate, Tensor] | None = None  # a plate, and what backdrops see of it

    def _make_matting(self, config: Config, on: torch.device) -> Matting:
        purpose: Purpose = "live" if self._live else "files"
        settings = matting_settings(config, purpose if self._plates else "without_plate")
        if config.matting != "bgmv2":
            return make_matting(config.matting, settings, on)
        matting = BackgroundMatting(
            settings.weights,
            settings.refinement,
            on,
            settings.engine if self._in_bytes else "torch",
            settings.precision,
            self._keep_maps,
            settings.purpose,
        )
        if not self._live:
            matting.effort = OFFLINE
        return matting

    def _keep_maps(self, maps: RefinementMaps) -> None:
        self.maps = maps

    def upload(self, rgb: Picture) -> Tensor:
        """Upload uint8 (H,W,3) as (1,3,H,W), floats unless made for bytes: only for those are there maps."""
        picture = self._transfer.upload_picture(rgb)
        return picture if self._in_bytes else pixels.unit(picture).contiguous()

    def matte_picture(self, rgb: Picture, plate: Plate) -> Matte:
        """Matte a single picture.

        The plate is matched to the whole picture first, then to what the first matte leaves of the room.

        Args:
            rgb: uint8 (H,W,3), H and W multiples of 4.
            plate: Of the same size.

        Raises:
            MattingError: The matting fails, or its matte is not valid.
        """
        src = self.upload(rgb)
        plate = self._follow(rgb, plate, None)
        self._matcher = self._make_matcher()
        if self._match:
            matte = self._matte(src, plate, 0)
            self._matcher = self._make_matcher()  # a used matcher would go only part of the way to the new gain
            self._matcher.upload_clean(plate)
            self._matcher.learn(matte.alpha)
        mirrored = None if self._live else self._matte_mirrored(src, plate)
        matte = self._matte(src, plate, 0)
        return matte if mirrored is None else _mean(matte, mirrored)

    def matte_frame(self, rgb: Picture, plate: Plate, seq: int) -> Matte:
        """Matte a video's next frame as live: the plate is matched by what the previous matte leaves of the room.

        Call `rewind` before the first frame.

        Raises:
            MattingError: The matting fails, or its matte is not valid.
        """
        plate = self._follow(rgb, plate, self._before)
        matte = self._matte(self.upload(rgb), plate, seq)
        self._matcher.learn(matte.alpha)
        self._before = from_tensor(matte.alpha) if self._align else None
        return matte

    @property
    def can_do_without(self) -> bool:
        """Whether a picture whose plate does not fit may be matted without it: by a network, not by the difference."""
        return find_matting(self._config.matting).uses_weights

    def matte_without_plate(self, rgb: Picture, seq: int = 0) -> Matte:
        """Matte a picture whose plate explains nothing, by weights that can do without one.

        Raises:
            MattingError: The matting fails, or its matte is not valid.
        """
        if self._alone is None:
            config = self._config.model_copy(update={"matting": "bgmv2", "weights": "default"})
            self._alone = OfflinePipeline(config, live=self._live, plates=False, in_bytes=self._in_bytes)
        blank = make_blank_plate(rgb.shape[1], rgb.shape[0])
        matte = self._alone.matte_picture(rgb, blank)
        self.maps = self._alone.maps
        return replace(matte, seq=seq)

    def _follow(self, rgb: Picture, plate: Plate, before: Picture | None) -> Plate:
        """Return the plate as the camera sees it in a picture; `before` is the alpha of a video's last frame."""
        if not self._align:
            return plate
        if self._aligner is None or self._aligner[0] is not plate:
            self._aligner = plate, PlateAligner(plate)
        if before is None:  # a matte by a plate that lies elsewhere would take the room for the person
            before = from_tensor(self.matte_without_plate(rgb).alpha)
        return self._aligner[1].align(rgb, before)

    def doubt_plate(self, matte: Matte) -> str:
        """Return why the plate of the last picture is probably of another room, '' if it is not; by its own `matte`."""
        if not self._plates:
            return ""
        survey = self._matcher.survey(matte.alpha)
        plate = self._aligner[1].aligned if self._aligner is not None else None
        inside = np.ones(survey.room.shape, bool) if plate is None else plate.known(survey.room.shape)
        health = judge(survey, inside)
        if plate is not None and plate.is_blank:
            return f"{_UNFIT}. Name a plate of this room with: --plate FILE"
        if not health.reason:
            return ""
        why = f"{health.share:.0%} of what should be the room differs from it"
        if health.share <= _DOUBTFUL:
            why = "next to nothing of the picture looks like the room on it"
        return (
            f"the plate does not fit: {why}. Name a plate of this room, from the same place and in the same light: "
            "--plate FILE. If the camera was moved, run with: --align"
        )

    def rewind(self) -> None:
        """Forget the previous video."""
        self._matcher, self._aligner, self._before = self._make_matcher(), None, None

    def upload_room(self, plate: Plate) -> Tensor:
        """Return what backdrops see of `plate`, (1,3,H,W), 0..1; the same tensor for the same plate."""
        if self._room is None or self._room[0] is not plate:
            self._room = plate, self.upload(fill_unknown(plate))
        return self._room[1]

    def render_maps(self) -> tuple[Picture, Picture]:
        """Render the network's maps of the last picture.

        Returns:
            The predicted error, 0..255, and 255 where patches were refined; uint8 (H,W) each.

        Raises:
            ConfigError: The matting has no such maps.
        """
        if self.maps is None:
            raise ConfigError(
                f"the matting {self.matting.name} predicts no error and refines nothing. "
                "Run without --error and --refined, or with: --matting bgmv2"
            )
        rows, columns = self.maps.refined.shape[2:]
        size = (rows * SIDE, columns * SIDE)
        error = F.interpolate(self.maps.error.float(), size, mode="bilinear", align_corners=False)
        refined = F.interpolate(self.maps.refined.float(), size, mode="nearest")
        return from_tensor(error), from_tensor(refined)

    def _matte(self, src: Tensor, plate: Plate, seq: int) -> Matte:
        matte = self.matting(src, self._matcher.match(plate, src), _upload_confidence(plate, src), seq)
        check(matte, matte.foreground, seq, 1.0)
        alpha = pixels.unit(matte.alpha)
        if plate.confidence is not None and not plate.is_blank and not self.matting.doubts:
            size = plate.rgb.shape[:2]
            alpha = close_margins(alpha, plate.known(count_blocks(*size)), choose_side(*size))
        return replace(matte, alpha=alpha, foreground=pixels.unit(matte.foreground))

    def _matte_mirrored(self, src: Tensor, plate: Plate) -> Matte:
        """Return the matte of the mirrored picture, mirrored back; in memory of its own."""
        confidence = _upload_confidence(plate, src)
        turned = confidence.flip(3) if confidence is not None else None
        matte = self.matting(src.flip(3), self._matcher.match(plate, src).flip(3), turned, 0)
        alpha, foreground = (pixels.unit(part).flip(3) for part in (matte.alpha, matte.foreground))
        return replace(matte, alpha=alpha, foreground=foreground)

    def _make_matcher(self) -> PlateMatcher:
        return PlateMatcher(self.upload, enabled=self._match)


def _upload_confidence(plate: Plate, src: Tensor) -> Tensor | None:
    """Return the confidence of `plate` as a matting takes it, on the device of `src`."""
    return None if plate.confidence is None else torch.from_numpy(plate.confidence)[None, None].to(src.device)


def _mean(one: Matte, other: Matte) -> Matte:
    return replace(one, alpha=(one.alpha + other.alpha) / 2, foreground=(one.foreground + other.foreground) / 2)


def stretch_alpha(matte: Matte) -> Tensor:
    """Return alpha as `composite` uses it, (1,1,H,W), 0..1: its outermost 2 % stretched to exactly 0 and 1.

    It is the composite of a white person over a black backdrop.
    """
    return composite(replace(matte, foreground=torch.ones_like(matte.alpha)), torch.zeros_like(matte.alpha))


def explain_card(matte: Matte, max_coverage: float) -> str:
    """Return why a live picture would be the privacy card instead of `matte`; '' if it would not."""
    try:
        check(matte, matte.foreground, matte.seq, max_coverage)
    except MattingError as exc:
        return str(exc)
    return ""


def pad_picture(rgb: Picture) -> Picture:
    """Repeat the right and lower edge of `rgb` (h,w,3) up to multiples of 4, at least 64.

    Raises:
        ConfigError: A side is too long.
    """
    height, width = rgb.shape[:2]
    if max(height, width) > _LARGEST_SIDE:
        raise ConfigError(f"the picture is {width}x{height}, larger than {_LARGEST_SIDE} pixels a side: scale it down")
    down, right = (max(64, -(-side // 4) * 4) - side for side in (height, width))
    return np.asarray(cv2.copyMakeBorder(rgb, 0, down, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def fit_plate(plate: Picture, like: Picture, name: str) -> Picture:
    """Resize `plate` to the size of the picture `like`.

    Raises:
        ConfigError: It has another shape.
    """
    (height, width), (high, wide) = plate.shape[:2], like.shape[:2]
    check_shape(plate, (wide, high), name, "camdaemon image --plate FILE")
    if (width, height) == (wide, high):
        return plate
    warn(f"The plate {name} is {width}x{height} and was scaled to {wide}x{high}. One of the same size is more exact.")
    interpolation = cv2.INTER_AREA if width > wide else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plate, (wide, high), interpolation=interpolation), np.uint8)
