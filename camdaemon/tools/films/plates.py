"""The plates of a film: a picture, one taken from the film, none, or many, of which each frame gets the best."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.decoder import to_bytes
from camdaemon.frames.job import JobFrame
from camdaemon.frames.kinds import VIDEOS
from camdaemon.frames.picture import DeepPicture, Picture
from camdaemon.linux.folders import expand_home
from camdaemon.plate.parts import Plate
from camdaemon.plate.pose import View, measure_fit
from camdaemon.plate.store import check_shape
from camdaemon.plate.take import PlateJob, PlateRules
from camdaemon.plate.unknown import make_blank_plate
from camdaemon.tools.files.fitting import fit_plate, pad_picture, resize
from camdaemon.tools.files.listing import list_pictures
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.results import NO_PLATE
from camdaemon.tools.films.source import FrameSequence

AUTO = "auto"
_LINES = 90  # of the small copies that are compared
_SAME = 0.995  # correlation from which on two frames of the empty room show the same view
_BETTER = 0.005  # by how much another plate has to fit better than the present one
_NEIGHBORS = 3  # plates before and after the present one that are looked at for each frame
_FITS = 0.8  # correlation below which all plates are
_NEAR = 5  # pixels of the small copies beside the person that are left out
_MOST_PLATES = 96
_SUFFIXES = (*VIDEOS, ".mxf", ".mts", ".m2ts", ".ts", ".mpg")


class OnePlate:
    """The same plate for every frame."""

    def __init__(self, plate: Plate) -> None:
        self._plate = plate

    def choose(self, rgb: DeepPicture, alpha: Picture | None) -> Plate:
        """Return the plate for a frame; see `BestPlate.choose`."""
        return self._plate

    def save_state(self) -> dict[str, NDArray[Any]]:
        """Return which plate was chosen last, for `load_state`."""
        return {}

    def load_state(self, state: dict[str, NDArray[Any]]) -> Plate:
        """Go on where `save_state` was called; returns the plate that was chosen last."""
        return self._plate


class BestPlate:
    """Of several views of the empty room, the one that fits each frame best: for pans. Used by one thread.

    Args:
        pictures: uint8 (H,W,3), padded like the frames. They are kept as PNG in memory, as there may be many.
        most: How many are kept, evenly spread; None: all.
    """

    def __init__(self, pictures: Iterable[Picture], most: int | None = None) -> None:
        self._packed: list[NDArray[np.uint8]] = []
        self._views: list[View] = []
        every = 1
        for number, rgb in enumerate(pictures):
            if number % every:
                continue
            if len(self) == most:
                del self._packed[1::2], self._views[1::2]
                every *= 2
                if number % every:
                    continue
            small = _shrink(rgb)
            self._views.append(View(small, np.ones(small.shape[:2], bool)))
            _, data = cv2.imencode(".png", rgb, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            self._packed.append(np.asarray(data, np.uint8))
        self._number = 0
        self._current = self._unpack(0)

    def __len__(self) -> int:
        return len(self._packed)

    def choose(self, rgb: DeepPicture, alpha: Picture | None) -> Plate:
        """Return the plate for a frame.

        Args:
            rgb: The frame, padded.
            alpha: uint8 (H,W), of the frame before: where nobody was is compared; None: everything is.
        """
        small = _shrink(to_bytes(rgb))
        room = np.ones(small.shape[:2], bool) if alpha is None else _find_room(alpha, small.shape)
        now = View(small, room)
        near = range(max(0, self._number - _NEIGHBORS), min(len(self), self._number + _NEIGHBORS + 1))
        fits = {number: measure_fit(now, self._views[number]) for number in near}
        if max(fits.values()) < _FITS:  # another shot, or the first frame
            fits |= {number: measure_fit(now, view) for number, view in enumerate(self._views)}
        best = max(fits, key=lambda number: fits[number])
        if best != self._number and fits[best] > fits[self._number] + _BETTER:
            self._number, self._current = best, self._unpack(best)
        return self._current

    def _unpack(self, number: int) -> Plate:
        return Plate(np.asarray(cv2.imdecode(self._packed[number], cv2.IMREAD_COLOR), np.uint8))

    def save_state(self) -> dict[str, NDArray[Any]]:
        """Return which plate was chosen last, for `load_state`."""
        return {"plate": np.array(self._number)}

    def load_state(self, state: dict[str, NDArray[Any]]) -> Plate:
        """Go on where `save_state` was called; returns the plate that was chosen last."""
        self._number = int(state.pop("plate"))
        self._current = self._unpack(self._number)
        return self._current


FilmPlates = OnePlate | BestPlate


def open_plates(film: FrameSequence, pipeline: OfflinePipeline, plate: str, rules: PlateRules) -> FilmPlates:
    """Return the plates for a film.

    Args:
        film: The film.
        pipeline: Takes the plate for 'auto'.
        plate: 'none', 'auto', a picture, a clip of the empty room, or a folder of pictures: with one that is called
            like the film, that one.
        rules: For 'auto'.

    Raises:
        ConfigError: It cannot be read, or the film ends before there is a plate.
        PlateRefused: The frames are no plate.
    """
    if plate in (NO_PLATE, AUTO):
        return OnePlate(get_plate(film, pipeline, plate, rules))
    path = expand_home(plate)
    if os.path.isdir(path):
        files = list_pictures(path)
        own = [file for file in files if file.stem in (film.path.stem, f"{film.path.stem}_back")]
        if not files:
            raise ConfigError(f"{path} has no pictures of the empty room. Run with: --plate FILE, or: --plate auto")
        if len(own) != 1:
            read = ((str(file), picture.read(file, "--plate auto")) for file in files)
            return BestPlate(_fit_all(read, film))
        plate = str(own[0])
    elif path.suffix.lower() in _SUFFIXES:
        clip = FrameSequence.open(path)
        views = _list_views(to_bytes(frame.rgb) for frame in clip.frames())
        return BestPlate(_fit_all(((str(path), view) for view in views), film), _MOST_PLATES)
    return OnePlate(get_plate(film, pipeline, plate, rules))


def _fit_all(pictures: Iterable[tuple[str, Picture]], film: FrameSequence) -> Iterator[Picture]:
    """Yield pictures, which have names, in the size of a film's frames, padded; that one was scaled is said once."""
    like = film.first()
    height, width = like.shape[:2]
    is_told = False
    for name, rgb in pictures:
        if rgb.shape[1::-1] == film.stored:
            yield pad_picture(resize(rgb, width, height))  # as the frames are
        elif is_told:
            check_shape(rgb, (width, height), name, "camdaemon video --plate FILE")
            yield pad_picture(resize(rgb, width, height))
        else:
            is_told = rgb.shape != like.shape
            yield pad_picture(fit_plate(rgb, like, name, "video"))


def _list_views(frames: Iterable[Picture]) -> Iterable[Picture]:
    """Yield the frames of a clip of the empty room that show another view than the one yielded before."""
    last: View | None = None
    for rgb in frames:
        small = _shrink(rgb)
        view = View(small, np.ones(small.shape[:2], bool))
        if last is None or measure_fit(view, last) < _SAME:
            last = view
            yield np.array(rgb)


def _shrink(rgb: Picture) -> Picture:
    width = max(2, round(_LINES * rgb.shape[1] / rgb.shape[0]))
    return np.asarray(cv2.resize(rgb, (width, _LINES), interpolation=cv2.INTER_AREA), np.uint8)


def _find_room(alpha: Picture, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    small = cv2.resize(alpha, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    near = cv2.dilate((small > 5).astype(np.uint8), np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8))
    return np.asarray(near == 0)


def get_plate(film: FrameSequence, pipeline: OfflinePipeline, plate: str, rules: PlateRules) -> Plate:
    """Return one plate of a film, padded like its frames: read from the file `plate`, taken from the film, or blank.

    For 'none' nothing is known of the room.
    'auto' works as live: the plate is the median of the first frames in which nothing moves.

    Raises:
        ConfigError: The file cannot be read, or the film ends before there is a plate.
        PlateRefused: The frames are no plate.
    """
    if plate == NO_PLATE:
        height, width = pad_picture(film.first()).shape[:2]
        return make_blank_plate(width, height)
    if plate != AUTO:
        path = expand_home(plate)
        rgb = picture.read(path, "--plate auto")
        return Plate(next(_fit_all([(plate, rgb)], film)))
    job = PlateJob(rules, countdown=0.0)
    for seq, (_, t, frame) in enumerate(film.frames()):
        taken = job.feed(JobFrame(seq, t, pipeline.upload(np.array(pad_picture(to_bytes(frame)))), None, None))
        if taken is not None:
            return taken
    raise ConfigError(
        f"{film.path} ended before the room was empty and still for {rules.still_s:g} s. Name a picture of the empty "
        "room, run with: --plate FILE"
    )
