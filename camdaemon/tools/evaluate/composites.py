"""Pictures whose alpha is known: cut-out people set before photographs of rooms, with a plate that is not perfect.

What is done, all drawn from the seed and the picture's number, so that picture 7 is the same however many are made:

person  mirrored or not; two of three from head to hip, as high as 0.75 to 1.15 frames, one of three closer, 1.3 to 1.9
        frames high; somewhere between the frame's quarters, cut off by its edges
frame   every second one: a soft shadow of the person on the room (10 to 30 %), a gain of 0.88 to 1.12, and of 0.97 to
        1.03 for red and blue; all: noise of σ ≤ 0.01 (of 0..1)
plate   after Lin et al. 2021, appendix D.2: shifted by less than a pixel, gamma 0.85 to 1.15, noise of σ ≤ 0.02
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture
from camdaemon.tools.evaluate.metrics import Alpha
from camdaemon.tools.files.image import PICTURES

_Colours = NDArray[np.float32]  # (H,W,3), 0..1


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """frame, plate, foreground: uint8 (H,W,3).   alpha: the truth.   foreground: the person's colours in `frame`."""

    name: str
    frame: Picture
    plate: Picture
    alpha: Alpha
    foreground: Picture


@dataclass(frozen=True, slots=True)
class Composites:
    """`count` composites of `size`. people: folder of NAME.jpg (colours) + NAME.png (alpha).   plates: of pictures."""

    people: Path
    plates: Path
    size: Size
    count: int
    seed: int

    def __iter__(self) -> Iterator[Case]:
        """Each composite once. Raises ConfigError for folders without pictures."""
        colours = [path for path in _pictures(self.people) if path.suffix.lower() != ".png"]
        people = [path for path in colours if path.with_suffix(".png").is_file()]
        if not people:
            raise ConfigError(f"{self.people} has no pair NAME.jpg, NAME.png; name a folder that has with --people")
        rooms = _pictures(self.plates)
        order = np.random.default_rng(self.seed)
        people_order, rooms_order = order.permutation(len(people)), order.permutation(len(rooms))
        for number in range(self.count):
            person = people[people_order[number % len(people)]]
            room = rooms[rooms_order[number % len(rooms)]]
            rng = np.random.default_rng((self.seed, number))
            yield composed(f"{number:03d}-{person.stem}-{room.stem}", person, room, self.size, rng)


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; name one that has pictures with --people and --plates")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not found:
        raise ConfigError(f"{folder} has no pictures; name one that has with --people and --plates")
    return found


def composed(name: str, person: Path, room: Path, size: Size, rng: np.random.Generator) -> Case:
    """One composite of the picture `person` (and its .png) before `room`; see the module for what is drawn."""
    covered, alpha = placed(person, size, rng)
    pixels = picture.cover(picture.read(room, "another folder with --plates"), size)
    scene = np.asarray(pixels, np.float32) / np.float32(255)
    plate = worse_plate(scene, rng)
    gain = np.ones(3, np.float32)
    if rng.random() < 0.5:
        scene = scene * (1 - shadow(alpha, rng))[..., None]
        gain = np.float32(rng.uniform(0.88, 1.12)) * rng.uniform([0.97, 1, 0.97], [1.03, 1, 1.03]).astype(np.float32)
    frame = (covered + (1 - alpha[..., None]) * scene) * gain
    frame = frame + rng.normal(0, rng.uniform(0, 0.01), frame.shape)
    foreground = covered / np.maximum(alpha, 1e-3)[..., None] * gain
    return Case(name, _pixels(frame), _pixels(plate), alpha, _pixels(foreground))


def placed(person: Path, size: Size, rng: np.random.Generator) -> tuple[_Colours, Alpha]:
    """(alpha · colours, alpha) of the person somewhere in an empty frame; scaled together, so that no rim appears."""
    gray = cv2.imread(str(person.with_suffix(".png")), cv2.IMREAD_GRAYSCALE)
    colours = picture.read(person, "another folder with --people").astype(np.float32) / 255
    if gray is None or gray.shape != colours.shape[:2]:
        alpha_file = person.with_suffix(".png")
        raise ConfigError(f"{alpha_file} is no alpha of {person.name}'s size; take both out of the folder")
    alpha = gray.astype(np.float32) / 255
    layers = np.dstack([colours * alpha[..., None], alpha])
    if rng.random() < 0.5:
        layers = layers[:, ::-1]
    close = rng.random() < 1 / 3
    tall = size.height * rng.uniform(*((1.3, 1.9) if close else (0.75, 1.15)))
    scale = tall / alpha.shape[0]
    # A crop that would end within the frame stands on its lower edge, so that nobody floats.
    top = max(size.height - 0.99 * tall, rng.uniform(0, 0.1) * size.height if close else 0)
    left = rng.uniform(0.25, 0.75) * size.width - alpha.shape[1] * scale / 2
    move = np.array([[scale, 0, left], [0, scale, top]], np.float32)
    whole = cv2.warpAffine(np.ascontiguousarray(layers), move, (size.width, size.height), flags=cv2.INTER_LINEAR)
    return np.asarray(whole[..., :3], np.float32), np.ascontiguousarray(whole[..., 3], np.float32)


def worse_plate(room: _Colours, rng: np.random.Generator) -> _Colours:
    """`room` as a plate taken earlier would show it (Lin et al. 2021, appendix D.2)."""
    across, down = rng.uniform(-1, 1, 2)
    move = np.array([[1, 0, across], [0, 1, down]], np.float32)
    shifted = cv2.warpAffine(room, move, room.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    darker = np.power(shifted, rng.uniform(0.85, 1.15))
    return np.asarray(darker + rng.normal(0, rng.uniform(0, 0.02), room.shape), np.float32)


def shadow(alpha: Alpha, rng: np.random.Generator) -> Alpha:
    """How much light the person takes from the room, (H,W), 0..0.3: its alpha moved sideways and blurred."""
    height = alpha.shape[0]
    across, down = rng.uniform(-0.12, 0.12) * height, rng.uniform(0, 0.05) * height
    move = np.array([[1, 0, across], [0, 1, down]], np.float32)
    moved = cv2.warpAffine(alpha, move, alpha.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    blurred = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.02, 0.08) * height)
    return np.asarray(rng.uniform(0.1, 0.3) * blurred, np.float32)


def _pixels(colours: NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(colours * 255 + 0.5, 0, 255), np.uint8)
