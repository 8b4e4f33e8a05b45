"""The live stops on the calling thread: plate matched to the picture → matte → check → composite.

The base input is larger than live, as no viewer waits. A single picture is matted three times: first to find its
exposure, then as it is and mirrored; the mean of those two has a tenth less error at the edges. A video is matted frame
by frame, as live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from camdaemon.config.schema import Config
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte, check
from camdaemon.frames.picture import DeepPicture, Picture, copy_to_host, quiet_opencv
from camdaemon.frames.pixels import Array
from camdaemon.frames.transfer import choose_device
from camdaemon.matting import find_matting
from camdaemon.matting.bgmv2.cpu.matting import CpuMatting
from camdaemon.plate.gate import judge
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from camdaemon.plate.pieces import close_margins
from camdaemon.plate.survey import Survey, choose_side, count_blocks
from camdaemon.plate.unknown import make_blank_plate
from camdaemon.tools.files.ahead import FramesAhead, Peek
from camdaemon.tools.files.fitting import explain_misfit
from camdaemon.tools.files.follower import PlateFollower
from camdaemon.tools.files.offline_matting import make_offline_matting
from camdaemon.tools.files.rendering import find_mean, to_floats
from camdaemon.tools.files.uploader import Uploader, has_torch, upload_confidence

if TYPE_CHECKING:
    from camdaemon.matting.bgmv2.floats import RefinementMaps

_MOST_AT_ONCE = 8  # frames of 1920x1080 on a GPU


class OfflinePipeline:
    """Mattes pictures one after the other. Created and used by one thread; keeps the plate's match between frames.

    Args:
        config: Its matting, weights, device, match_exposure and refine are used.
        live: Spend no more work than on a live frame, to see what viewers see.
        plates: Whether there are plates; weights that can do without are needed else.
        in_bytes: On a CPU, run the network on bytes, by the configuration's engine and precision, as the daemon does;
            else as published, in floats, by torch. For pictures of bytes, and without `render_maps`. None: where there
            is no torch.
        align: Whether plates are brought to where the camera looks in each picture.
        best: Whether a video's frames are matted twice, as pictures are: as they are and mirrored.

    Attributes:
        upload: See `Uploader`.
        upload_room: See `Uploader`.

    Raises:
        ConfigError: As `make_matting` does, or plates are needed and there are none.
    """

    def __init__(
        self,
        config: Config,
        *,
        live: bool = False,
        plates: bool = True,
        in_bytes: bool | None = None,
        align: bool = False,
        best: bool = False,
    ) -> None:
        quiet_opencv()
        self._config, self._best = config, best
        self.keeps_alpha = False  # whether `last_alpha` is asked for
        self._alone: OfflinePipeline | None = None  # what works without a plate, once it was needed
        self._follower = PlateFollower(self.matte_without_plate) if align else None
        self._on = on = choose_device(config.device)
        in_bytes = on == "cpu" and (not has_torch() if in_bytes is None else in_bytes)
        self._live, self._plates, self._in_bytes = live, plates, in_bytes
        self.maps: RefinementMaps | None = None  # of the last picture
        self.matting = make_offline_matting(config, on, self._keep_maps, live=live, plates=plates, in_bytes=in_bytes)
        self._is_exact = in_bytes and not live and config.matting == "bgmv2" and not self.matting.doubts
        uploader = Uploader(on, in_bytes=in_bytes)
        self.upload, self.upload_room = uploader.upload, uploader.upload_room
        self._match = config.match_exposure
        self._before: Picture | None = None  # the alpha of a video's last frame
        most = self.matting.frames_ahead if isinstance(self.matting, CpuMatting) else 0
        self._ahead = FramesAhead(self.matting, self.upload, most if in_bytes and not align else 0)
        self._matcher = self._make_matcher()

    def _keep_maps(self, maps: RefinementMaps) -> None:
        self.maps = maps

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
        if self._follower is not None:
            plate = self._follower.follow(rgb, plate, None)
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

    def matte_next(self, rgb: DeepPicture, plate: Plate, seq: int, peek: Peek | None = None) -> Matte:
        """Matte a video's next frame as live: the plate is matched by what the previous matte leaves of the room.

        Call `rewind` before the first frame.

        Args:
            rgb: uint8 or uint16 (H,W,3), H and W multiples of 4.
            plate: Of the same size.
            seq: The frame's number.
            peek: With it, a pipeline in bytes begins with the frames after this one while it finishes this one.

        Returns:
            Bytes or floats, as the pipeline was made for.

        Raises:
            MattingError: The matting fails, or its matte is not valid.
        """
        if self._follower is not None:
            plate = self._follower.follow(rgb, plate, self._before)
        if self._matcher.plate is not None and self._matcher.plate is not plate:
            self._matcher.go_on(plate)  # another view of the same room, in the same light
        src = self._ahead.take(rgb)
        matte = self._matte(src, plate, seq, peek)
        if self._best:
            matte = replace(find_mean(to_floats(matte), self._matte_mirrored(src, plate)), seq=seq)
        self._matcher.learn(matte.alpha)
        self._before = copy_to_host(matte.alpha) if self._follower is not None or self.keeps_alpha else None
        return matte

    def find_batch(self, width: int, height: int) -> int:
        """Return how many frames of a video `matte_batch` takes at once; 1: `matte_next` does each.

        A GPU is not kept busy by one frame. What depends on the frame before keeps them apart.
        """
        apart = self._follower is not None or self.keeps_alpha or self._best or self._config.matting != "bgmv2"
        if apart or self._on != "cuda":
            return 1
        return max(1, min(_MOST_AT_ONCE, _MOST_AT_ONCE * 1920 * 1080 // (width * height)))

    def matte_batch(self, frames: Sequence[DeepPicture], plate: Plate, seq: int) -> list[tuple[Matte, str]]:
        """Matte the next frames of a video at once; see `matte_next`.

        The plate is matched to each of them by what the last matte before the first leaves of the room.

        Args:
            frames: As many as `find_batch` says, or fewer.
            plate: Of their size.
            seq: Number of the first one.

        Returns:
            Each frame's matte, valid until the next call, and why its plate is doubted; see `doubt_plate`.

        Raises:
            MattingError: The matting fails, or a matte is not valid.
        """
        import torch

        from camdaemon.matting.bgmv2.floats import FloatMatting

        assert isinstance(self.matting, FloatMatting), "`find_batch` says so"
        pictures, rooms, moments = [], [], []
        for rgb in frames:
            pictures.append(self.upload(rgb))
            rooms.append(self._matcher.match(plate, pictures[-1]))
            moments.append(self._matcher.moment)
        confidence = upload_confidence(plate, pictures[0])
        mattes = self.matting.matte_batch(
            *(torch.cat([pixels.as_tensor(x) for x in each]) for each in (pictures, rooms)), confidence, seq
        )
        found = []
        for matte, moment in zip(mattes, moments, strict=True):
            check(matte, matte.foreground, matte.seq, 1.0)
            found.append((matte, self._doubt(self._matcher.survey(matte.alpha, moment))))
        self._matcher.learn(mattes[-1].alpha)
        return found

    @property
    def last_alpha(self) -> Picture | None:
        """The alpha of a video's last frame, uint8 (H,W), if it was kept."""
        return self._before

    def save_state(self) -> dict[str, NDArray[Any]]:
        """Return what the pipeline has learned from the frames of a video, for `load_state`."""
        state = self._matcher.save_state()
        if self._before is not None:
            state["before"] = self._before
        return state if self._follower is None else state | self._follower.save_state()

    def load_state(self, plate: Plate, state: dict[str, NDArray[Any]]) -> None:
        """Go on with `plate` where another pipeline was when `save_state` was called of it."""
        self.rewind()
        rest = dict(state)
        self._before = rest.pop("before", None)
        if self._follower is not None:
            plate = self._follower.load_state(plate, rest)
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

    def doubt_plate(self, matte: Matte) -> str:
        """Return why the plate of the last picture is probably of another room, '' if it is not; by its own `matte`."""
        return self._doubt(self._matcher.survey(matte.alpha)) if self._plates else ""

    def _doubt(self, survey: Survey) -> str:
        if not self._plates:
            return ""
        plate = self._follower.aligned if self._follower is not None else None
        inside = np.ones(survey.room.shape, bool) if plate is None else plate.known(survey.room.shape)
        health = judge(survey, inside)
        share = None if plate is not None and plate.is_blank else health.share
        return explain_misfit(share) if share is None or health.reason else ""

    def rewind(self) -> None:
        """Forget the previous video."""
        self._matcher, self._before = self._make_matcher(), None
        self._ahead.forget()
        if self._follower is not None:
            self._follower.forget()

    def _matte(self, src: Array, plate: Plate, seq: int, peek: Peek | None = None) -> Matte:
        given = src, self._matcher.match(plate, src), upload_confidence(plate, src)
        if peek is not None:
            self._ahead.begin(given, plate, self._matcher, peek)
        matte = self.matting(*given, seq)
        check(matte, matte.foreground, seq, 1.0)
        if plate.confidence is not None and not plate.is_blank and not self.matting.doubts:
            size = plate.rgb.shape[:2]
            known, side = plate.known(count_blocks(*size)), choose_side(*size)
            matte = replace(matte, alpha=close_margins(pixels.unit(matte.alpha), known, side))
        return matte

    def _matte_mirrored(self, src: Array, plate: Plate) -> Matte:
        """Return the matte of the mirrored picture, mirrored back; in memory of its own."""
        confidence = upload_confidence(plate, src)
        turned = pixels.mirror(confidence) if confidence is not None else None
        matte = self.matting(pixels.mirror(src), pixels.mirror(self._matcher.match(plate, src)), turned, 0)
        alpha, foreground = (pixels.mirror(pixels.unit(part)) for part in (matte.alpha, matte.foreground))
        return replace(matte, alpha=alpha, foreground=foreground)

    def _make_matcher(self) -> PlateMatcher:
        return PlateMatcher(self.upload, enabled=self._match, exact=self._is_exact)
