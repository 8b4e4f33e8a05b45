"""Damaged pictures: a picture, or one sentence of ours, whatever was cut off or changed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camdaemon.errors import ConfigError
from camdaemon.frames import picture

RGBA = np.random.default_rng(1).integers(0, 255, (12, 9, 4), np.uint8)
CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=8)), max_size=4)


def encode(suffix: str) -> bytes:
    done, data = cv2.imencode(suffix, RGBA if suffix in (".png", ".webp") else RGBA[..., :3])
    assert done
    return data.tobytes()


WHOLE = {suffix: encode(suffix) for suffix in (".png", ".jpg", ".webp", ".bmp", ".tiff")}


@pytest.mark.parametrize("suffix", sorted(WHOLE))
@given(changes=CHANGES, keep=st.integers(0, 10**6) | st.none(), junk=st.binary(max_size=20))
@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_damaged_picture_is_a_picture_or_a_sentence(
    tmp_path: Path, suffix: str, changes: list[tuple[int, bytes]], keep: int | None, junk: bytes
) -> None:
    data = bytearray(WHOLE[suffix])
    for place, new in changes:
        start = place % len(data)
        data[start : start + len(new)] = new
    path = tmp_path / f"room{suffix}"
    path.write_bytes(bytes(data[: None if keep is None else keep % len(data)]) + junk)
    with suppress(ConfigError):
        rgb = picture.read(path, "another file")
        assert (rgb.ndim, rgb.shape[2], rgb.dtype) == (3, 3, np.uint8)
