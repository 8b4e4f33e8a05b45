"""One pair of a picture and its plate: read in any thread, matted in one."""

from __future__ import annotations

import threading
from typing import Literal, NamedTuple

from camdaemon.backdrop import Backdrop
from camdaemon.errors import ConfigError, MattingError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import DeepPicture
from camdaemon.plate.parts import Plate
from camdaemon.plate.unknown import make_blank_plate
from camdaemon.tools.files.fitting import fit_plate, pad_picture
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.pairs import Pair
from camdaemon.tools.files.rendering import Pixels, explain_card
from camdaemon.tools.files.results import open_backdrop, render_results

Depth = Literal["auto", "8", "16"]


class Scene(NamedTuple):
    """What was read of a pair.

    Attributes:
        rgb: The picture, uint8 or uint16 (H,W,3), as its file has it.
        src: The same with sides that the network takes.
        plate: Of the size of `src`.
    """

    rgb: DeepPicture
    src: DeepPicture
    plate: Plate


class PairReader:
    """Reads pairs. Any thread may. A plate that all of them share is read once."""

    def __init__(self, todo: list[Pair]) -> None:
        self._is_shared = len({pair.plate for pair in todo}) == 1
        self._lock = threading.Lock()
        self._last: tuple[tuple[int, ...], Plate] | None = None  # the shared plate, for pictures of a shape

    def read(self, pair: Pair) -> Scene:
        """Read a pair.

        Raises:
            ConfigError: A file cannot be read, or its plate has another shape.
        """
        rgb = picture.read_deep(pair.src, "another --src FILE")
        src = pad_picture(rgb)
        if not self._is_shared:
            return Scene(rgb, src, _read_plate(pair, rgb))
        with self._lock:
            if self._last is None or self._last[0] != rgb.shape:
                self._last = rgb.shape, _read_plate(pair, rgb)
            return Scene(rgb, src, self._last[1])

    def try_to_read(self, pair: Pair) -> Scene | ConfigError:
        """Read a pair, or return why it cannot be read."""
        try:
            return self.read(pair)
        except ConfigError as exc:
            return exc


def _read_plate(pair: Pair, rgb: DeepPicture) -> Plate:
    if pair.plate is None:
        height, width = pad_picture(rgb).shape[:2]
        return make_blank_plate(width, height)
    room = picture.read(pair.plate, "another --plate FILE")
    return Plate(pad_picture(fit_plate(room, rgb, str(pair.plate))))


class PairMatter:
    """Mattes pairs; no result depends on the pairs before. Used by one thread, which closes it.

    Args:
        pipeline: Mattes them; it is the thread's.
        backdrop: Of composites.
        max_coverage: Share of the picture, 0..1, above which live it would be the card.
        strict: Whether a plate that does not fit is an error.
        depth: Bits of the results: as in each picture, or always so many. Maps have 8.
    """

    def __init__(
        self, pipeline: OfflinePipeline, backdrop: str, max_coverage: float, *, strict: bool, depth: Depth
    ) -> None:
        self._pipeline, self._spec, self._max_coverage = pipeline, backdrop, max_coverage
        self._strict, self._depth = strict, depth
        self._backdrop: tuple[tuple[Size, bool], Backdrop] | None = None  # for pictures of a size and depth

    def matte(self, pair: Pair, scene: Scene) -> tuple[dict[str, Pixels], str]:
        """Matte a pair.

        Returns:
            The wanted results by name, see `render_results`; and a warning, or ''.

        Raises:
            ConfigError: The backdrop cannot be opened, or the matting has no maps.
            MattingError: It cannot be matted, or `strict` and the plate does not fit.
        """
        pipeline, src, plate = self._pipeline, scene.src, scene.plate
        deep = scene.rgb.dtype == "uint16" if self._depth == "auto" else self._depth == "16"
        wants_backdrop = pair.wanted.composite is not None
        backdrop = self._find_backdrop(Size(src.shape[1], src.shape[0]), deep=deep) if wants_backdrop else None
        pipeline.rewind()
        matte = pipeline.matte_picture(src, plate)
        warning = pipeline.doubt_plate(matte)
        if warning and self._strict:
            raise MattingError(f"{pair.src.name}: {warning}")
        if warning and pipeline.can_do_without:
            matte, warning = pipeline.matte_without_plate(src), f"{warning}. It was matted without it"
        warning = explain_card(matte, self._max_coverage) or warning
        size = (scene.rgb.shape[1], scene.rgb.shape[0])
        return render_results(pipeline, matte, plate, pair.wanted, backdrop, 0.0, size, deep=deep), warning

    def _find_backdrop(self, size: Size, *, deep: bool) -> Backdrop:
        if self._backdrop is None or self._backdrop[0] != (size, deep):
            self.close()
            self._backdrop = (size, deep), open_backdrop(self._spec, size, deep=deep)
        return self._backdrop[1]

    def close(self) -> None:
        """Close the backdrop. May be called twice."""
        if self._backdrop is not None:
            self._backdrop[1].close()
            self._backdrop = None
