"""Damaged pictures: a picture, or one sentence of ours, whatever was cut off or changed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from tests.hostile import damaged, few

RGBA = np.random.default_rng(1).integers(0, 255, (12, 9, 4), np.uint8)


def encode(suffix: str) -> bytes:
    done, data = cv2.imencode(suffix, RGBA if suffix in (".png", ".webp") else RGBA[..., :3])
    assert done
    return data.tobytes()


WHOLE = {suffix: encode(suffix) for suffix in (".png", ".jpg", ".webp", ".bmp", ".tiff")}


@pytest.mark.parametrize("suffix", sorted(WHOLE))
@given(st.data())
@few
def test_a_damaged_picture_is_a_picture_or_a_sentence(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    path = tmp_path / f"room{suffix}"
    path.write_bytes(data.draw(damaged(WHOLE[suffix])))
    with suppress(ConfigError):
        rgb = picture.read(path, "another file")
        assert (rgb.ndim, rgb.shape[2], rgb.dtype) == (3, 3, np.uint8)
