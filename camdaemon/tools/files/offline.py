"""The live stops on the calling thread: plate matched to the picture → matte → check → composite.

The base input is larger than live, as no viewer waits. A single picture is matted three times: first to find its
exposure, then as it is and mirrored; the mean of those two has a tenth less error at the edges. A video is matted frame
by frame, as live.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.config.schema import Config
from camdaemon.daemon.build import matting_settings
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte, check
from camdaemon.frames.decoder import to_bytes
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import DeepPicture, Picture, from_tensor, quiet_opencv
from camdaemon.frames.transfer import Transfer, choose_device
from camdaemon.matting import Matting, Purpose, find_matting, make_matting, require_no_plate
from camdaemon.matting.bgmv2.matting import BackgroundMatting, RefinementMaps
from camdaemon.matting.effort import OFFLINE
from camdaemon.plate.align import PlateAligner
from camdaemon.plate.gate import judge
from camdaemon.plate.match import PlateMatcher, choose_side, count_blocks
from camdaemon.plate.parts import Plate
from camdaemon.plate.pieces import close_margins
from camdaemon.plate.unknown import fill_unknown, make_blank_plate
from camdaemon.tools.files.fitting import explain_misfit
from camdaemon.tools.files.rendering import find_mean, to_floats


class OfflinePipeline:
    """Mattes pictures one after the other. Created and used by one thread; keeps the plate's match between frames.

    Args:
        config: Its matting, weights, device, match_exposure and refine are used.
        live: Spend no more work than on a live frame, to see what viewers see.
        plates: Whether there are plates; weights that can do without are needed else.
        in_bytes: On a CPU, run the network on bytes, by the configuration's engine and precision, as the daemon does;
            else as published, in floats. For pictures of bytes, and without `render_maps`.
        align: Whether plates are brought to where the camera looks in each picture.
        best: Whether a video's frames are matted twice, as pictures are: as they are and mirrored.

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
        best: bool = False,
    ) -> None:
        quiet_opencv()
        self._config, self._align, self._best = config, align, best
        self.keeps_alpha = False  # whether `last_alpha` is asked for
        self._alone: OfflinePipeline | None = None  # what works without a plate, once it was needed
        self._aligner: tuple[Plate, PlateAligner] | None = None
        on = choose_device(config.device)
        self._live, self._plates, self._in_bytes = live, plates, in_bytes
        self.maps: RefinementMaps | None = None  # of the last picture
        self.matting = self._make_matting(config, on)
        if not plates:
            require_no_plate(self.matting)
        # Where a network believes its plate, rounding that to bytes would move mattes by more than a level of 255.
        self._is_exact = in_bytes and not live and config.matting == "bgmv2" and not self.matting.doubts
        self._transfer = Transfer(on, Size(64, 64))  # used for `upload_picture` only, which takes any size
        self._match = config.match_exposure
        self._before: Picture | None = None  # the alpha of a video's last frame
        self._begun: tuple[DeepPicture, Tensor] | None = None  # the next frame, and what was uploaded of it
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
            exact=True,
        )
        if not self._live:
            matting.effort = OFFLINE
        return matting

    def _keep_maps(self, maps: RefinementMaps) -> None:
        self.maps = maps

    def upload(self, rgb: DeepPicture) -> Tensor:
        """Upload uint8 or uint16 (H,W,3) as (1,3,H,W): floats, or for a pipeline in bytes its own memory."""
        if rgb.dtype == np.uint16:
            deep = torch.from_numpy(rgb.astype(np.float32)).to(self._transfer.device).permute(2, 0, 1)[None] / 65535
            return deep.to(self._transfer.dtype if self._transfer.dtype.is_floating_point else deep.dtype).contiguous()
        picture = np.ascontiguousarray(rgb, np.uint8)
        if self._in_bytes and self._transfer.device.type == "cpu":
            return pixels.tensor(picture)  # over the same memory, which nobody changes
        return pixels.unit(self._transfer.upload_picture(picture)).contiguous()

    def _upload_plate(self, rgb: Picture) -> Tensor:
        return pixels.unit(self.upload(rgb)) if self._is_exact else self.upload(rgb)

    def matte_picture(self, rgb: DeepPicture, plate: Plate) -> Matte:
        """Matte a single picture.

        The plate is matched to the whole picture first, then to what the first matte leaves of the room.

        Args:
            rgb: uint8 or uint16 (H,W,3), H and W multiples of 4.
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
        matte = to_floats(self._matte(src, plate, 0))
        return matte if mirrored is None else find_mean(matte, mirrored)

    def matte_frame(self, rgb: DeepPicture, plate: Plate, seq: int) -> Matte:
        """Matte a video's next frame; see `matte_next`. Returns floats."""
        return to_floats(self.matte_next(rgb, plate, seq))

    def matte_next(
        self, rgb: DeepPicture, plate: Plate, seq: int, peek: Callable[[], DeepPicture | None] | None = None
    ) -> Matte:
        """Matte a video's next frame as live: the plate is matched by what the previous matte leaves of the room.

        Call `rewind` before the first frame.

        Args:
            rgb: uint8 or uint16 (H,W,3), H and W multiples of 4.
            plate: Of the same size.
            seq: The frame's number.
            peek: Returns the frame after this one, the very array that will be given next, or None. With it, a
                pipeline in bytes begins with that frame while it finishes this one.

        Returns:
            Bytes or floats, as the pipeline was made for.

        Raises:
            MattingError: The matting fails, or its matte is not valid.
        """
        plate = self._follow(rgb, plate, self._before)
        if self._matcher.plate is not None and self._matcher.plate is not plate:
            self._matcher.go_on(plate)  # another view of the same room, in the same light
        src = self._take_begun(rgb)
        begin = partial(self._begin, plate, peek) if peek is not None and self._looks_ahead else None
        matte = self._matte(src, plate, seq, begin)
        if self._best:
            matte = replace(find_mean(to_floats(matte), self._matte_mirrored(src, plate)), seq=seq)
        self._matcher.learn(matte.alpha)
        self._before = from_tensor(matte.alpha) if self._align or self.keeps_alpha else None
        return matte

    @property
    def last_alpha(self) -> Picture | None:
        """The alpha of a video's last frame, uint8 (H,W), if it was kept."""
        return self._before

    @property
    def _looks_ahead(self) -> bool:
        return self._in_bytes and self._transfer.device.type == "cpu" and not self._align and not self._is_exact

    def _begin(self, plate: Plate, peek: Callable[[], DeepPicture | None]) -> None:
        """Begin with the frame that comes next, to be matted by `plate`, beside the present one."""
        rgb = peek()
        if rgb is None or self._begun is not None:
            return
        src = self.upload(rgb)
        self._begun = rgb, src
        self.matting.prepare(src, self._matcher.expect(plate, src), _upload_confidence(plate, src))

    def _take_begun(self, rgb: DeepPicture) -> Tensor:
        begun, self._begun = self._begun, None
        return begun[1] if begun is not None and begun[0] is rgb else self.upload(rgb)

    def save_state(self) -> dict[str, NDArray[Any]]:
        """Return what the pipeline has learned from the frames of a video, for `load_state`."""
        state = self._matcher.save_state()
        if self._before is not None:
            state["before"] = self._before
        if self._aligner is not None:
            movement, is_lost = self._aligner[1].save_state()
            state |= {"movement": movement, "lost": np.array(is_lost)}
        return state

    def load_state(self, plate: Plate, state: dict[str, NDArray[Any]]) -> None:
        """Go on with `plate` where another pipeline was when `save_state` was called of it."""
        self.rewind()
        rest = dict(state)
        self._before = rest.pop("before", None)
        if "movement" in rest:
            self._aligner = plate, PlateAligner(plate)
            self._aligner[1].load_state(rest.pop("movement"), is_lost=bool(rest.pop("lost")))
            plate = self._aligner[1].aligned
        self._matcher.load_state(plate, rest)

    @property
    def can_do_without(self) -> bool:
        """Whether a picture whose plate does not fit may be matted without it: by a network, not by the difference."""
        return find_matting(self._config.matting).uses_weights

    def matte_without_plate(self, rgb: DeepPicture, seq: int = 0) -> Matte:
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

    def _follow(self, rgb: DeepPicture, plate: Plate, before: Picture | None) -> Plate:
        """Return the plate as the camera sees it in a picture; `before` is the alpha of a video's last frame."""
        if not self._align:
            return plate
        if self._aligner is None or self._aligner[0] is not plate:
            self._aligner = plate, PlateAligner(plate)
        if before is None:  # a matte by a plate that lies elsewhere would take the room for the person
            before = from_tensor(self.matte_without_plate(rgb).alpha)
        return self._aligner[1].align(to_bytes(rgb), before)

    def doubt_plate(self, matte: Matte) -> str:
        """Return why the plate of the last picture is probably of another room, '' if it is not; by its own `matte`."""
        if not self._plates:
            return ""
        survey = self._matcher.survey(matte.alpha)
        plate = self._aligner[1].aligned if self._aligner is not None else None
        inside = np.ones(survey.room.shape, bool) if plate is None else plate.known(survey.room.shape)
        health = judge(survey, inside)
        share = None if plate is not None and plate.is_blank else health.share
        return explain_misfit(share) if share is None or health.reason else ""

    def rewind(self) -> None:
        """Forget the previous video."""
        self._matcher, self._aligner, self._before, self._begun = self._make_matcher(), None, None, None

    def upload_room(self, plate: Plate) -> Tensor:
        """Return what backdrops see of `plate`, (1,3,H,W), 0..1; the same tensor for the same plate."""
        if self._room is None or self._room[0] is not plate:
            self._room = plate, self.upload(fill_unknown(plate))
        return self._room[1]

    def _matte(self, src: Tensor, plate: Plate, seq: int, begin: Callable[[], None] | None = None) -> Matte:
        ahead = () if begin is None else (begin,)
        matched = self._matcher.match(plate, pixels.unit(src) if self._is_exact else src)
        matte = self.matting(src, matched, _upload_confidence(plate, src), seq, *ahead)
        check(matte, matte.foreground, seq, 1.0)
        if plate.confidence is not None and not plate.is_blank and not self.matting.doubts:
            size = plate.rgb.shape[:2]
            known, side = plate.known(count_blocks(*size)), choose_side(*size)
            matte = replace(matte, alpha=close_margins(pixels.unit(matte.alpha), known, side))
        return matte

    def _matte_mirrored(self, src: Tensor, plate: Plate) -> Matte:
        """Return the matte of the mirrored picture, mirrored back; in memory of its own."""
        confidence = _upload_confidence(plate, src)
        turned = confidence.flip(3) if confidence is not None else None
        matte = self.matting(src.flip(3), self._matcher.match(plate, src).flip(3), turned, 0)
        alpha, foreground = (pixels.unit(part).flip(3) for part in (matte.alpha, matte.foreground))
        return replace(matte, alpha=alpha, foreground=foreground)

    def _make_matcher(self) -> PlateMatcher:
        return PlateMatcher(self._upload_plate, enabled=self._match)


def _upload_confidence(plate: Plate, src: Tensor) -> Tensor | None:
    """Return the confidence of `plate` as a matting takes it, on the device of `src`."""
    return None if plate.confidence is None else torch.from_numpy(plate.confidence)[None, None].to(src.device)
