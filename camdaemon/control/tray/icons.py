"""The tray's icons as pixels, drawn from the SVGs that come with camdaemon: few desktops have them in their theme.

Reads what those files are written in and no more: rect, circle, and path with absolute M, C, L and Z, each filled.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.linux.folders import find_folder
from camdaemon.linux.shipped import read_shipped

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SIZES = (16, 22, 24, 32, 48)  # pixels, as panels of today have them
_FINER = 8  # times in each direction; then averaged
_STEPS = np.linspace(0, 1, 25)[1:, None]  # along a curve

Points = NDArray[np.float64]  # (N,2), x and y
Pixmap = tuple[int, int, bytes]  # width, height, ARGB of 8 bits each in network byte order, straight


@lru_cache(maxsize=8)
def draw_pixmaps(name: str) -> list[Pixmap]:
    """Draw the icon `name` in all `SIZES`. Raises ConfigError: its file is missing."""
    from xml.etree import ElementTree  # of no use where no tray asks

    picture = ElementTree.fromstring(read_shipped("desktop", f"{name}.svg"))
    return [(size, size, _draw(picture, size)) for size in SIZES]


def name_in_theme(name: str) -> str:
    """Return `name` where it is installed for this user or for all, else '': then a desktop takes the pixels."""
    shared = (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    folders = [find_folder("data", app=None), *(Path(folder) for folder in shared if folder)]
    is_there = any((folder / "icons/hicolor/scalable/apps" / f"{name}.svg").is_file() for folder in folders)
    return name if is_there else ""


def _draw(picture: Element, size: int) -> bytes:
    width = float(picture.attrib["viewBox"].split()[2])
    fine = np.zeros((size * _FINER, size * _FINER, 4), np.uint8)
    for shape in picture:
        fill = shape.attrib["fill"]
        ink = (255, *(int(fill[at : at + 2], 16) for at in (1, 3, 5)))
        scaled = [points * (size * _FINER / width) - 0.5 for points in _outline(shape)]
        cv2.fillPoly(fine, [np.rint(points).astype(np.int32) for points in scaled], ink)
    mean = fine.reshape(size, _FINER, size, _FINER, 4).mean((1, 3))
    mean[..., 1:] *= 255 / np.maximum(mean[..., :1], 1)  # what is not covered was counted as black
    return bytes(np.rint(mean).clip(0, 255).astype(np.uint8))


def _outline(shape: Element) -> Iterator[Points]:
    """Yield the closed lines around `shape`."""
    kind = shape.tag.rpartition("}")[2]
    if kind == "path":
        yield from _follow(shape.attrib["d"])
        return
    number = {key: float(value) for key, value in shape.attrib.items() if key != "fill"}
    if kind == "circle":
        yield _turn(number["cx"], number["cy"], number["r"], 0, 4)
        return
    x, y, right, bottom = number["x"], number["y"], number["x"] + number["width"], number["y"] + number["height"]
    r = number["rx"]
    corners = ((right - r, bottom - r), (x + r, bottom - r), (x + r, y + r), (right - r, y + r))
    yield np.concatenate([_turn(*corner, r, quarter, 1) for quarter, corner in enumerate(corners)])


def _turn(x: float, y: float, r: float, first: int, quarters: int) -> Points:
    """Return an arc clockwise around (x, y), from `first` quarters after the right."""
    angle = np.linspace(first, first + quarters, 16 * quarters + 1) * (np.pi / 2)
    return np.stack([x + r * np.cos(angle), y + r * np.sin(angle)], axis=1)


def _follow(path: str) -> Iterator[Points]:
    line = np.zeros((0, 2))
    for letter, numbers in re.findall(r"([MCLZ])([^MCLZ]*)", path):
        points = np.array(numbers.split(), float).reshape(-1, 2)
        if letter == "C":
            for one, two, end in points.reshape(-1, 3, 2):
                start, t = line[-1], _STEPS
                curve = start * (1 - t) ** 3 + one * 3 * t * (1 - t) ** 2 + two * 3 * t**2 * (1 - t) + end * t**3
                line = np.concatenate([line, curve])
        elif letter == "Z":
            yield line
            line = np.zeros((0, 2))
        else:
            line = np.concatenate([line, points])
