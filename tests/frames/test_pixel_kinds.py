"""What is done to a picture of bytes and to one of floats is the same, and each stays of its kind."""

import numpy as np
import pytest
import torch

from camdaemon.frames import pixels
from tests.kinds import floats, same

DTYPES = pytest.mark.parametrize("dtype", [torch.float16, torch.float32], ids=str)


def noise(channels: int = 3, height: int = 36, width: int = 52) -> np.ndarray:
    return pixels.as_planes(np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8))


def test_the_two_kinds_are_told_apart():
    picture, tensor = noise(), floats(noise())
    assert pixels.is_host(picture)
    assert not pixels.is_host(tensor)
    assert pixels.is_beside(picture, noise(1))
    assert pixels.is_beside(tensor, tensor[:, :1])
    assert not pixels.is_beside(picture, tensor)
    assert not pixels.is_beside(tensor, picture)
    assert not pixels.is_beside(tensor, tensor.to("meta")), "another device"
    with pytest.raises(AssertionError, match="do not mix"):
        pixels.as_tensor(picture)


@DTYPES
def test_a_picture_becomes_one_of_the_others_kind(dtype):
    picture = noise()
    rgb = pixels.interleave(picture)
    assert np.array_equal(pixels.to_picture_of(picture, rgb), picture)
    found = pixels.to_picture_of(torch.empty(0, dtype=dtype), rgb[:, ::-1])
    assert found.dtype == dtype
    assert same(found, floats(picture).to(dtype).flip(3))


def test_a_map_goes_to_the_others_device_and_back_in_its_own_dtype():
    known = np.random.default_rng(1).random((1, 1, 3, 4)).astype(np.float32) > 0.5
    assert pixels.to_kind_of(noise(), known) is known
    assert pixels.to_host(known) is known
    there = pixels.to_kind_of(floats(noise()), known)
    assert there.dtype == torch.bool
    assert np.array_equal(pixels.to_host(there), known)


def test_several_maps_come_to_the_host_at_once_in_their_own_shapes():
    room, means, gain = torch.rand(1, 1, 3, 4) > 0.5, torch.rand(1, 3, 3, 4).half(), torch.rand(1, 3, 1, 1)
    found = pixels.to_host_at_once(room, means, gain)
    for each, wanted in zip(found, (room, means, gain), strict=True):
        assert each.dtype == np.float32
        assert np.array_equal(each, wanted.float().numpy())
    mine = noise(), noise(1)
    assert all(each is given for each, given in zip(pixels.to_host_at_once(*mine), mine, strict=True))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mirror_image_lies_in_memory_as_the_picture_does(channels):
    picture = noise(channels)
    before = picture.copy()
    found = pixels.to_host(pixels.mirror(picture))
    assert np.array_equal(found, picture[..., ::-1])
    assert np.shares_memory(pixels.interleave(found), found)
    assert np.array_equal(picture, before)
    assert same(pixels.mirror(floats(picture)), floats(found))


@pytest.mark.parametrize("side", [2, 3, 8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_means_of_blocks_are_the_same(side, channels):
    found, wanted = (pixels.blocks(x, side) for x in (noise(channels), floats(noise(channels))))
    assert found.dtype == np.float32
    assert found.shape == wanted.shape == (1, channels, 36 // side, 52 // side)
    assert np.abs(found - wanted.numpy()).max() <= 1.01 / 255  # rounded to bytes twice


@pytest.mark.parametrize("limit", [0.02, 0.1, 0.5, 100 / 255])
@pytest.mark.parametrize("side", [4, 16])
def test_where_no_pixel_of_a_block_reaches_a_limit(side, limit):
    alpha = np.zeros((1, 1, 36, 52), np.uint8)
    for n, level in enumerate((1, 5, 6, 25, 26, 99, 100, 101, 127, 128, 255)):
        alpha[0, 0, 3 * n % 32, 4 * n] = level  # a single pixel of its block
    found, wanted = (pixels.peaks_below(x, side, limit) for x in (alpha, floats(alpha)))
    assert found.dtype == bool
    assert np.array_equal(found, wanted.numpy())
    assert np.array_equal(pixels.peaks_below(pixels.unit(alpha), side, limit), found), "floats on the host"
    assert 0 < np.count_nonzero(found) < found.size, "the test of the test"


def test_a_share_is_a_mean_of_each_map():
    where = np.random.default_rng(1).random((1, 3, 7, 9)) > 0.7
    found = pixels.share_of(where)
    assert found.dtype == np.float32
    assert found == pytest.approx(pixels.share_of(torch.from_numpy(where)).numpy())
    assert found[0, 1] == pytest.approx(where[0, 1].mean())


@pytest.mark.parametrize("count", [0, 1, 2, 5, 8])
def test_a_median_passes_over_what_is_no_number(count):
    values = np.full((1, 3, 8), np.nan, np.float32)
    for channel in range(3):
        chosen = np.random.default_rng(channel).permutation(8)[:count]
        values[0, channel, chosen] = np.arange(count) + 10 * channel
    found = pixels.nanmedian(values)
    assert np.array_equal(found, pixels.nanmedian(torch.from_numpy(values)).numpy(), equal_nan=True)
    if count:
        assert found.tolist() == [[(count - 1) // 2 + 10 * channel for channel in range(3)]], "the lower of two"
    else:
        assert np.isnan(found).all()
