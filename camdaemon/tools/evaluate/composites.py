"""Pictures with a known alpha: cut-out people in front of photographs of rooms, with an imperfect plate.

All randomness depends on the seed and the picture's number only: picture 7 is the same in a set of any size.

person  mirrored in half of them; two of three from head to hip, 0.75 to 1.15 frames high, one of three closer, 1.3 to
        1.9 frames high; its middle between a quarter and three quarters of the width, cut off by the frame's edges
frame   in half of them a soft shadow of the person on the room (10 to 30 %), a gain of 0.88 to 1.12, and of 0.97 to
        1.03 for red and blue; in all of them noise of σ ≤ 0.01 (of 0..1)
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
from camdaemon.linux.listing import list_files
from camdaemon.tools.evaluate.faults import Others
from camdaemon.tools.evaluate.metrics import Alpha
from camdaemon.tools.files.listing import PICTURES

_Colors = NDArray[np.float32]  # (H,W,3), 0..1


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A composite with its truth.

    Attributes:
        name: Of the case.
        frame: uint8 (H,W,3).
        plate: uint8 (H,W,3).
        alpha: The truth.
        foreground: uint8 (H,W,3), the person's colors in `frame`.
    """

    name: str
    frame: Picture
    plate: Picture
    alpha: Alpha
    foreground: Picture


@dataclass(frozen=True, slots=True)
class Composites:
    """A set of composites.

    Attributes:
        people: Folder of NAME.jpg (colors) and NAME.png (alpha).
        plates: Folder of pictures of empty rooms.
        size: Of the composites.
        count: Number of composites.
        seed: Of their randomness.
    """

    people: Path
    plates: Path
    size: Size
    count: int
    seed: int

    def __iter__(self) -> Iterator[Case]:
        """Yield each composite once.

        Raises:
            ConfigError: A folder has no pictures.
        """
        people, rooms = self._list_people(), _pictures(self.plates)
        order = np.random.default_rng(self.seed)
        people_order, rooms_order = order.permutation(len(people)), order.permutation(len(rooms))
        for number in range(self.count):
            person = people[people_order[number % len(people)]]
            room = rooms[rooms_order[number % len(rooms)]]
            rng = np.random.default_rng((self.seed, number))
            yield compose(f"{number:03d}-{person.stem}-{room.stem}", person, room, self.size, rng)

    def _list_people(self) -> list[Path]:
        colors = [path for path in _pictures(self.people) if path.suffix.lower() != ".png"]
        people = [path for path in colors if path.with_suffix(".png").is_file()]
        if not people:
            raise ConfigError(f"{self.people} has no pair NAME.jpg, NAME.png. Run with: --people FOLDER")
        return people

    def draw_others(self, case: Case, rng: np.random.Generator) -> Others:
        """Draw another room and another person than in `case`, for faults of its plate.

        Raises:
            ConfigError: There is only one of them, or it cannot be read.
        """
        people = [path for path in self._list_people() if f"-{path.stem}-" not in case.name]
        rooms = [path for path in _pictures(self.plates) if not case.name.endswith(f"-{path.stem}")]
        if not people or not rooms:
            raise ConfigError(
                "faults of plates need two people and two rooms. Run with: --people FOLDER --plates FOLDER"
            )
        covered, alpha = place_person(people[rng.integers(len(people))], self.size, rng)
        return Others(_read_room(rooms[rng.integers(len(rooms))], self.size), _pixels(covered), alpha)

    def draw_room(self, size: Size, rng: np.random.Generator) -> Picture:
        """Draw a room, (H,W,3) of `size`.

        Raises:
            ConfigError: There is none, or it cannot be read.
        """
        rooms = _pictures(self.plates)
        return _read_room(rooms[rng.integers(len(rooms))], size)


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder. Run with: --people FOLDER --plates FOLDER")
    found = sorted(list_files(folder, PICTURES))  # the order decides who is placed where, and all scores with it
    if not found:
        raise ConfigError(f"{folder} has no pictures. Run with: --people FOLDER --plates FOLDER")
    return found


def compose(name: str, person: Path, room: Path, size: Size, rng: np.random.Generator) -> Case:
    """Compose the picture `person` (and its .png) over `room`; the module's docstring has the random parameters."""
    covered, alpha = place_person(person, size, rng)
    scene = np.asarray(_read_room(room, size), np.float32) / np.float32(255)
    plate = degrade_plate(scene, rng)
    gain = np.ones(3, np.float32)
    if rng.random() < 0.5:
        scene = scene * (1 - draw_shadow(alpha, rng))[..., None]
        gain = np.float32(rng.uniform(0.88, 1.12)) * rng.uniform([0.97, 1, 0.97], [1.03, 1, 1.03]).astype(np.float32)
    frame = (covered + (1 - alpha[..., None]) * scene) * gain
    frame = frame + rng.normal(0, rng.uniform(0, 0.01), frame.shape)
    foreground = covered / np.maximum(alpha, 1e-3)[..., None] * gain
    return Case(name, _pixels(frame), _pixels(plate), alpha, _pixels(foreground))


def _read_room(path: Path, size: Size) -> Picture:
    return picture.cover(picture.read(path, "another folder with --plates"), size)


def place_person(person: Path, size: Size, rng: np.random.Generator) -> tuple[_Colors, Alpha]:
    """Place a person in an empty frame.

    Returns:
        Alpha · colors, and alpha; scaled together, so that no rim appears.
    """
    gray = picture.read_gray(person.with_suffix(".png"), "another folder with --people")
    colors = picture.read(person, "another folder with --people").astype(np.float32) / 255
    if gray.shape != colors.shape[:2]:
        alpha_file = person.with_suffix(".png")
        raise ConfigError(f"{alpha_file} is no alpha of {person.name}'s size. Remove both from the folder")
    alpha = gray.astype(np.float32) / np.iinfo(gray.dtype).max
    layers = np.dstack([colors * alpha[..., None], alpha])
    if rng.random() < 0.5:
        layers = layers[:, ::-1]
    close = rng.random() < 1 / 3
    tall = size.height * rng.uniform(*((1.3, 1.9) if close else (0.75, 1.15)))
    scale = tall / alpha.shape[0]
    # A crop that would end within the frame stands on its lower edge, so that the person does not float.
    top = max(size.height - 0.99 * tall, rng.uniform(0, 0.1) * size.height if close else 0)
    left = rng.uniform(0.25, 0.75) * size.width - alpha.shape[1] * scale / 2
    move = np.array([[scale, 0, left], [0, scale, top]], np.float32)
    whole = cv2.warpAffine(np.ascontiguousarray(layers), move, (size.width, size.height), flags=cv2.INTER_LINEAR)
    return np.asarray(whole[..., :3], np.float32), np.ascontiguousarray(whole[..., 3], np.float32)


def degrade_plate(room: _Colors, rng: np.random.Generator) -> _Colors:
    """Return `room` as in a plate that was taken earlier (Lin et al. 2021, appendix D.2)."""
    across, down = rng.uniform(-1, 1, 2)
    move = np.array([[1, 0, across], [0, 1, down]], np.float32)
    shifted = cv2.warpAffine(room, move, room.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    darker = np.power(shifted, rng.uniform(0.85, 1.15))
    return np.asarray(darker + rng.normal(0, rng.uniform(0, 0.02), room.shape), np.float32)


def draw_shadow(alpha: Alpha, rng: np.random.Generator) -> Alpha:
    """Return how much light the person takes from the room, (H,W), 0..0.3: its alpha, shifted and blurred."""
    height = alpha.shape[0]
    across, down = rng.uniform(-0.12, 0.12) * height, rng.uniform(0, 0.05) * height
    move = np.array([[1, 0, across], [0, 1, down]], np.float32)
    moved = cv2.warpAffine(alpha, move, alpha.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    blurred = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.02, 0.08) * height)
    return np.asarray(rng.uniform(0.1, 0.3) * blurred, np.float32)


def _pixels(colors: NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(colors * 255 + 0.5, 0, 255), np.uint8)
