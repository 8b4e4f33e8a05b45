"""`camdaemon.Matter`: the mattes of `camdaemon image` and `video` for Python programs and notebooks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames import composite as frame_mattes
from camdaemon.frames.decoder import to_bytes
from camdaemon.frames.picture import DeepPicture
from camdaemon.linux.folders import expand_home
from camdaemon.plate.parts import Plate
from camdaemon.plate.take import PlateRules
from camdaemon.plate.unknown import make_blank_plate
from camdaemon.tools.files.fitting import fit_plate, pad_picture
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.rendering import explain_card
from camdaemon.tools.files.results import NO_PLATE
from camdaemon.tools.films.plates import BestPlate, FilmPlates, OnePlate, open_plates
from camdaemon.tools.films.source import FrameSequence, Span
from camdaemon.tools.mattes import AnyPicture, Matte, check_picture, composite, make_matte, to_codes

__all__ = ["Matte", "Matter", "composite"]

Device = Literal["auto", "cpu", "cuda"]
Effort = Literal["live", "files"]


class Matter:
    """Mattes pictures and films. A context manager; without `with`, call `close` to free the network's memory.

    It computes in the thread that calls, and the network's own threads below it; a second thread that calls `matte`
    meanwhile waits. Neither the daemon nor a configuration file is used. While it is there, OpenCV uses one thread in
    this process.

    Args:
        weights: 'default', 'published', 'slim', or the path of a .safetensors or .pth file.
        device: Where the network runs: 'auto', 'cpu', or 'cuda'.
        effort: How much goes into a matte: the best for 'files', or as much as the daemon does 'live'.

    Raises:
        ConfigError: The weights cannot be loaded, or the device is not there.
    """

    def __init__(
        self, weights: str | os.PathLike[str] = "default", device: Device = "auto", effort: Effort = "files"
    ) -> None:
        for name, value, known in (("device", device, ("auto", "cpu", "cuda")), ("effort", effort, ("live", "files"))):
            if value not in known:
                raise ConfigError(f"{name}={value!r} is unknown: expected {', '.join(map(repr, known))}")
        self._config = Config(weights=os.fspath(weights), device=device)
        self._live = effort == "live"
        self._lock = threading.Lock()
        self._pipeline: OfflinePipeline | None = OfflinePipeline(self._config, live=self._live)
        self._doubts = self._pipeline.matting.doubts
        self._without: OfflinePipeline | None = None  # what works without a plate, once it was needed

    def __enter__(self) -> Matter:
        """Return itself; it is closed at the end of the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """See `close`."""
        self.close()

    def close(self) -> None:
        """Free the network. Films that are being matted end with an error. May be called twice."""
        with self._lock:
            self._pipeline = self._without = None

    def _check_open(self) -> OfflinePipeline:
        if self._pipeline is None:
            raise ConfigError("this Matter is closed. Make another: camdaemon.Matter()")
        return self._pipeline

    def matte(self, picture: ArrayLike, plate: ArrayLike | None = None) -> Matte:
        """Matte a picture.

        Where the plate does not fit, the picture is matted without it, and `Matte.warning` says so.

        Args:
            picture: RGB (H,W,3): uint8, uint16, or float32 from 0 to 1, which are matted in 16 bits. Of any size up to
                8192 pixels a side. Not changed.
            plate: The same camera's picture of the empty room, of any of those dtypes, and of the same shape. None:
                there is none; then weights are used that can do without, those that were named if they can.

        Raises:
            ConfigError: An array is no such picture, or it is closed.
            MattingError: The matting fails, out of memory included.
        """
        rgb = check_picture(picture, "picture")
        src = pad_picture(to_codes(rgb))
        room = _blank(src) if plate is None else _fit(plate, to_codes(rgb))
        with self._lock:
            pipeline = self._check_open() if plate is not None else self._find_without()
            pipeline.rewind()
            found, warning = self._doubt(pipeline, src, pipeline.matte_picture(src, room))
            return make_matte(found, rgb, warning)

    def film(
        self,
        path: str | os.PathLike[str],
        plate: ArrayLike | str | os.PathLike[str] = "auto",
        *,
        start: float = 0.0,
        end: float | None = None,
        size: tuple[int, int] | None = None,
    ) -> Iterator[tuple[float, AnyPicture, Matte]]:
        """Matte a film frame by frame, as they are asked for. It has a network of its own, so films may alternate.

        Args:
            path: A film, or a folder of frames in the order of their names.
            plate: 'auto' takes it from the film's first still, empty seconds, also where `start` is later; 'none' is
                for none. Or the path of a picture, a clip or a folder of pictures of the empty room; or an array, as
                `matte` takes it.
            start: Where to begin, in seconds.
            end: Where to end, in seconds; None: with the film.
            size: Width and height to which frames are scaled first; None: as they are stored.

        Yields:
            The frame's time in seconds since the first one that is yielded; the frame, uint8 or uint16 (H,W,3) as the
            film has it; its matte.

        Raises:
            ConfigError: Something cannot be read, there is no plate in the film, or it is closed.
            MattingError: A frame cannot be matted.
            PlateRefused: What is taken from the film is no plate.
        """
        self._check_open()
        whole = FrameSequence.open(expand_home(os.fspath(path))).take(Span(), size)
        span = whole.take(Span(start, float("inf") if end is None else end), size)
        named = os.fspath(plate) if isinstance(plate, str | os.PathLike) else check_picture(plate, "plate")
        return self._matte_film(whole, span, named)

    def _matte_film(
        self, whole: FrameSequence, span: FrameSequence, plate: str | AnyPicture
    ) -> Iterator[tuple[float, AnyPicture, Matte]]:
        pipeline = self._make_pipeline(plates=not isinstance(plate, str) or plate != NO_PLATE)
        plates = self._open_plates(whole, pipeline, plate)
        pipeline.keeps_alpha = isinstance(plates, BestPlate)
        for seq, frame in enumerate(span.frames()):
            self._check_open()
            rgb = frame.rgb.copy()
            src = pad_picture(rgb)
            room = plates.choose(src, pipeline.last_alpha)
            found, warning = self._doubt(pipeline, src, pipeline.matte_frame(src, room, seq))
            yield frame.t, rgb, make_matte(found, rgb, warning)

    def _open_plates(self, film: FrameSequence, pipeline: OfflinePipeline, plate: str | AnyPicture) -> FilmPlates:
        if isinstance(plate, str):
            return open_plates(film, pipeline, plate, PlateRules(**dict(self._config.plate_taking)))
        return OnePlate(_fit(plate, next(film.frames()).rgb))

    def _find_without(self) -> OfflinePipeline:
        self._check_open()
        if self._without is None:
            self._without = self._make_pipeline(plates=False)
        return self._without

    def _make_pipeline(self, *, plates: bool) -> OfflinePipeline:
        config = self._config
        if not plates and not self._doubts:
            config = config.model_copy(update={"weights": "default"})
        return OfflinePipeline(config, live=self._live, plates=plates)

    def _doubt(
        self, pipeline: OfflinePipeline, src: DeepPicture, matte: frame_mattes.Matte
    ) -> tuple[frame_mattes.Matte, str]:
        """Return the matte to use of the pipeline's last picture, and what is to be said of it."""
        warning = pipeline.doubt_plate(matte)
        if warning:
            matte, warning = pipeline.matte_without_plate(src, matte.seq), f"{warning}. It was matted without it"
        return matte, explain_card(matte, self._config.max_coverage) or warning


def _blank(src: DeepPicture) -> Plate:
    return make_blank_plate(src.shape[1], src.shape[0])


def _fit(plate: ArrayLike, rgb: DeepPicture) -> Plate:
    room = to_bytes(to_codes(check_picture(plate, "plate")))
    return Plate(np.ascontiguousarray(pad_picture(fit_plate(room, rgb, "array"))))
