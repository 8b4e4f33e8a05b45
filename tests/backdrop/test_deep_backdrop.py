"""Still backdrops in the depth of their file, for whoever asks for that."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from camdaemon.backdrop import make_backdrop
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.kinds import READY

SIZE = Size(128, 72)
PLATE = torch.zeros(1, 3, 72, 128)


def uploaded(spec: str, *, deep: bool) -> list[picture.DeepPicture]:
    """What a backdrop gives to `upload`."""
    seen: list[picture.DeepPicture] = []

    def upload(rgb: picture.DeepPicture) -> torch.Tensor:
        seen.append(rgb)
        return PLATE

    backdrop = make_backdrop(spec, SIZE, deep=deep)
    for _ in range(2):
        backdrop.picture(0.0, PLATE, upload)
    backdrop.close()
    return seen


@pytest.fixture
def sky(tmp_path: Path) -> str:
    """A gradient of 16 bits, half of it transparent."""
    bgra = np.full((144, 256, 4), 65535, np.uint16)
    bgra[..., :3] = np.linspace(20_000, 22_000, 256)[None, :, None]
    bgra[100:, :, 3] = 0
    path = tmp_path / "sky.png"
    cv2.imwrite(str(path), bgra)
    return str(path)


def test_a_sky_of_16_bits_stays_smooth(sky: str) -> None:
    (rgb,) = uploaded(sky, deep=True)
    assert (rgb.shape, rgb.dtype) == ((72, 128, 3), np.uint16)
    assert len(np.unique(rgb[0, :, 0])) == 128
    assert np.array_equal(rgb[-1, 0], np.array(picture.CALM) * 257)


def test_it_has_8_bits_unless_asked_for(sky: str) -> None:
    (rgb,) = uploaded(sky, deep=False)
    assert rgb.dtype == np.uint8


@pytest.mark.parametrize("spec", ["color:#102030", READY[0]])
def test_what_has_8_bits_keeps_them(spec: str) -> None:
    (rgb,) = uploaded(spec, deep=True)
    assert (rgb.shape, rgb.dtype) == ((72, 128, 3), np.uint8)
