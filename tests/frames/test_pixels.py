"""Bytes and floats: every value comes through, memory is shared where that is promised, and what is no number shows."""

import numpy as np
import pytest
import torch

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte, check, composite

EVERY = pixels.as_planes(np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2))
BYTES = np.empty(0, np.uint8)
FLOATS = [np.float16, np.float32, np.float64]


def noise(channels: int | None = 3, seed: int = 1) -> np.ndarray:
    shape = (12, 20) if channels is None else (12, 20, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy])
def test_every_byte_is_its_255th_part(of):
    every = of(EVERY.copy())
    found = pixels.unit(every)
    assert found.dtype == (np.float32 if of is np.asarray else torch.float32)
    assert pixels.is_beside(found, every)
    assert np.abs(np.asarray(found).astype(float) - EVERY.astype(float) / 255).max() < 1e-7
    assert (float(found.min()), float(found.max())) == (0.0, 1.0)
    assert np.array_equal(np.asarray(every)[0, 0].ravel(), np.arange(256)), "what comes in is not changed"


@pytest.mark.parametrize("dtype", FLOATS)
def test_every_byte_survives_there_and_back(dtype):
    there = pixels.unit(EVERY).astype(dtype)
    assert np.array_equal(pixels.like(there, BYTES), EVERY)
    assert np.array_equal(pixels.as_bytes(there), EVERY)
    assert np.array_equal(pixels.as_bytes(torch.from_numpy(there)), EVERY)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_floats_stay_floats(dtype):
    x = torch.rand(1, 3, 4, 8).to(dtype)
    before = x.clone()
    assert pixels.unit(x) is x
    assert pixels.like(x.float(), x).dtype == dtype
    assert torch.equal(pixels.like(x, torch.empty(0, dtype=dtype)), before)
    pixels.as_bytes(x)
    assert torch.equal(x, before), "what comes in is not changed"


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_on_the_host_stay_floats(dtype):
    x = np.random.default_rng(1).random((1, 3, 4, 8)).astype(dtype)
    before = x.copy()
    assert pixels.unit(x) is x
    assert pixels.like(x.astype(np.float32), x).dtype == dtype
    pixels.as_bytes(x)
    assert np.array_equal(x, before), "what comes in is not changed"


def test_bytes_that_are_bytes_are_the_same_array():
    x = pixels.as_planes(noise())
    assert pixels.as_bytes(x) is x


@pytest.mark.parametrize(
    ("value", "byte"), [(-0.1, 0), (0.0, 0), (100.4 / 255, 100), (100.6 / 255, 101), (1.0, 255), (1.1, 255), (9e9, 255)]
)
def test_floats_are_rounded_and_held_to_what_a_byte_is(value, byte):
    floats = np.full((1, 3, 4, 8), value, np.float32)
    for found in (pixels.like(floats, BYTES), pixels.as_bytes(floats), pixels.as_bytes(torch.from_numpy(floats))):
        assert found.dtype == np.uint8
        assert set(found.ravel().tolist()) == {byte}


@pytest.mark.parametrize("channels", [3, 1, None])
def test_pixels_become_planes_and_pixels_again_in_one_memory(channels):
    given = noise(channels)
    found = pixels.as_planes(given)
    assert found.shape == (1, channels or 1, 12, 20)
    back = pixels.interleave(found)
    assert np.array_equal(back, given.squeeze(2) if channels == 1 else given)
    assert np.shares_memory(back, given)
    found[0, 0, 3, 7] = 255 - int(found[0, 0, 3, 7])
    assert np.array_equal(back, given.squeeze(2) if channels == 1 else given), "one memory, seen from both sides"


def test_the_axes_are_where_they_belong():
    given = noise()
    found = pixels.as_planes(given)
    for y, x, c in ((0, 0, 0), (11, 19, 2), (3, 17, 1)):
        assert int(found[0, c, y, x]) == given[y, x, c]


def test_what_is_made_of_floats_lies_pixel_by_pixel():
    for channels in (1, 3):
        floats = np.random.default_rng(1).random((1, channels, 12, 20)).astype(np.float32)
        for made in (pixels.like(floats, BYTES), pixels.as_bytes(torch.from_numpy(floats))):
            assert np.shares_memory(pixels.interleave(made), made), "OpenCV would work on a copy"


def test_what_lies_plane_by_plane_is_copied_in_order():
    planes = noise().transpose(2, 0, 1).copy()[None]
    found = pixels.interleave(planes)
    assert found.flags.c_contiguous
    assert np.array_equal(found, noise())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("planes", [False, True])
def test_the_mean_of_bytes_is_that_of_their_floats(channels, planes):
    x = pixels.as_planes(noise(channels))
    x = np.ascontiguousarray(x) if planes else x
    [found] = pixels.means(x)
    assert found == pytest.approx(float(x.astype(float).mean() / 255), abs=1e-6)
    assert pixels.means(pixels.unit(x)) == pytest.approx([found], abs=1e-6)
    assert pixels.means(torch.from_numpy(pixels.unit(x))) == pytest.approx([found], abs=1e-6)


def test_several_means_are_each_ones_own():
    one, other = pixels.as_planes(noise(3)), pixels.as_planes(noise(1) // 2)
    wanted = pytest.approx([float(x.astype(float).mean() / 255) for x in (one, other)], abs=1e-6)
    assert pixels.means(one, other) == wanted
    assert pixels.means(*(torch.from_numpy(pixels.unit(x)) for x in (one, other))) == wanted


def test_the_mean_has_no_limit_of_its_number_format():
    assert pixels.means(torch.ones(1, 1, 720, 1280, dtype=torch.float16)) == [1.0]
    assert pixels.means(np.full((1, 3, 720, 1280), 255, np.uint8)) == [1.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["alpha", "foreground under the person", "foreground beside the person"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_is_no_number_is_refused_although_bytes_cannot_show_it(value, where, dtype):
    """A matte in floats over a backdrop in bytes: the picture itself would look well."""
    alpha = np.zeros((1, 1, 36, 64), np.float32)
    foreground = np.random.default_rng(1).random((1, 3, 36, 64)).astype(np.float32)
    alpha[..., :20] = 1.0
    backdrop = pixels.as_planes(np.full((36, 64, 3), 90, np.uint8))
    good = Matte(alpha.astype(dtype), foreground.astype(dtype), 5)
    check(good, composite(good, backdrop), 5, 0.9)
    if where == "alpha":
        alpha[0, 0, 17, 33] = value
    else:
        foreground[0, 1, 17, 5 if "under" in where else 50] = value
    bad = Matte(alpha.astype(dtype), foreground.astype(dtype), 5)
    with pytest.raises(MattingError, match="NaN or infinity"):
        check(bad, composite(bad, backdrop), 5, 0.9)
