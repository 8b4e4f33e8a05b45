"""Tiny test sets in the layouts of the published ones, and a matting whose figures can be worked out by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from camdaemon.config.schema import Config
from camdaemon.frames.composite import Matte
from camdaemon.tools.evaluate.benchmarks.layouts import AIM_PEOPLE, DISTINCTIONS_PEOPLE
from camdaemon.tools.evaluate.mattings import NamedMatting
from camdaemon.tools.files.offline import OfflinePipeline

SIDE = 64
COLOR = 51  # of a person: a fifth of 255


def write(path: Path, pixels: np.ndarray) -> None:
    """Write (H,W), (H,W,3) RGB or (H,W,4) RGBA."""
    path.parent.mkdir(parents=True, exist_ok=True)
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}
    cv2.imwrite(str(path), pixels if pixels.ndim == 2 else pixels[..., order[pixels.shape[2]]])


def person(wide: int = SIDE, high: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Colors and alpha of somebody who fills the right half, behind one soft column."""
    alpha = np.zeros((high, wide), np.uint8)
    alpha[:, wide // 2 :] = 255
    alpha[:, wide // 2 - 1] = 128
    return np.full((high, wide, 3), COLOR, np.uint8), alpha


def make_pairs(colors: Path, alphas: Path, names: tuple[str, ...]) -> None:
    for name in names:
        color, alpha = person()
        write(colors / f"{name}.png", color)
        write(alphas / f"{name}.png", alpha)


def make_aim(folder: Path) -> Path:
    """Ten people in one of the two folders, one in the other, and a picture of no person."""
    home = folder / "Combined_Dataset" / "Test_set"
    make_pairs(home / "Adobe-licensed images/fg", home / "Adobe-licensed images/alpha", (*AIM_PEOPLE[:-1], "glass"))
    make_pairs(home / "Other/fg", home / "Other/alpha", AIM_PEOPLE[-1:])
    return folder


def make_distinctions(folder: Path) -> Path:
    make_pairs(folder / "Test/FG", folder / "Test/GT", (*DISTINCTIONS_PEOPLE, "test_0"))
    return folder


def make_photomatte(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        color, alpha = person()
        write(folder / "PhotoMatte85" / f"{number:04}.png", np.dstack([color, alpha]))
    return folder


def make_rooms(folder: Path, count: int = 5) -> Path:
    for number in range(count):
        small = np.random.default_rng(number).integers(90, 200, (5, 8, 3), np.uint8)
        write(folder / f"room{number}.png", cv2.resize(small, (160, 90), interpolation=cv2.INTER_CUBIC))
    return folder


def make_clips(folder: Path, groups: tuple[str, ...] = ("videomatte_motion", "videomatte_static")) -> Path:
    """A clip of three frames in each group: in the second, a quarter of the picture becomes the person's."""
    color, alpha = person()
    room = np.full((SIDE, SIDE, 3), 200, np.uint8)
    for group in groups:
        for number in range(3):
            truth = alpha.copy()
            if number:
                truth[: SIDE // 2, : SIDE // 2] = 255
            share = truth[..., None] / 255
            home = folder / group / "0000"
            write(home / f"pha/{number:04}.png", truth)
            write(home / f"bgr/{number:04}.png", room)
            write(home / f"com/{number:04}.png", np.asarray(color * share + room * (1 - share) + 0.5, np.uint8))
    return folder


class Nobody:
    """A matting that sees nobody, and calls everything black."""

    name, doubts = "nobody", False

    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        return Matte(torch.zeros_like(src[:, :1]), torch.zeros_like(src), seq)


class White(Nobody):
    """A matting that takes what is white for a person."""

    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        return Matte((src[:, :1] > 0.99).to(src.dtype), src, seq)


def open_stub(matting: Nobody, monkeypatch: pytest.MonkeyPatch) -> NamedMatting:
    pipeline = OfflinePipeline(Config(matting="difference", device="cpu", match_exposure=False), live=True)
    monkeypatch.setattr(pipeline, "matting", matting)
    return NamedMatting(matting.name, pipeline)
