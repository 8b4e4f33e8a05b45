"""Bytes and floats: every value comes through, memory is shared where that is promised, and what is no number shows."""

import numpy as np
import pytest
import torch

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte, check, composite

EVERY = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
BYTES = torch.empty(0, dtype=torch.uint8)


def noise(channels: int | None = 3, seed: int = 1) -> np.ndarray:
    shape = (12, 20) if channels is None else (12, 20, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_every_byte_is_its_255th_part():
    found = pixels.unit(EVERY)
    assert found.dtype == torch.float32
    assert float((found.double() - EVERY.double() / 255).abs().max()) < 1e-7
    assert (float(found.min()), float(found.max())) == (0.0, 1.0)
    assert torch.equal(EVERY[0, 0].flatten().long(), torch.arange(256)), "what comes in is not changed"


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_every_byte_survives_there_and_back(dtype):
    assert torch.equal(pixels.like(pixels.unit(EVERY).to(dtype), BYTES), EVERY)
    assert torch.equal(pixels.as_bytes(pixels.unit(EVERY).to(dtype)), EVERY)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_floats_stay_floats(dtype):
    x = torch.rand(1, 3, 4, 8).to(dtype)
    before = x.clone()
    assert pixels.unit(x) is x
    assert pixels.like(x.float(), x).dtype == dtype
    assert torch.equal(pixels.like(x, torch.empty(0, dtype=dtype)), before)
    pixels.as_bytes(x)
    assert torch.equal(x, before), "what comes in is not changed"


def test_bytes_that_are_bytes_are_the_same_tensor():
    x = pixels.tensor(noise())
    assert pixels.as_bytes(x) is x


@pytest.mark.parametrize(
    ("value", "byte"), [(-0.1, 0), (0.0, 0), (100.4 / 255, 100), (100.6 / 255, 101), (1.0, 255), (1.1, 255), (9e9, 255)]
)
def test_floats_are_rounded_and_held_to_what_a_byte_is(value, byte):
    found = pixels.like(torch.full((1, 3, 4, 8), value), BYTES)
    assert found.dtype == torch.uint8
    assert set(found.flatten().tolist()) == {byte}


@pytest.mark.parametrize("channels", [3, 1, None])
def test_an_array_becomes_a_tensor_and_an_array_again_in_one_memory(channels):
    given = noise(channels)
    found = pixels.tensor(given)
    assert found.shape == (1, channels or 1, 12, 20)
    back = pixels.array(found)
    assert np.array_equal(back, given.squeeze(2) if channels == 1 else given)
    assert np.shares_memory(back, given)
    found[0, 0, 3, 7] = 255 - int(found[0, 0, 3, 7])
    assert np.array_equal(back, given.squeeze(2) if channels == 1 else given), "one memory, seen from both sides"


def test_the_axes_are_where_they_belong():
    given = noise()
    found = pixels.tensor(given)
    for y, x, c in ((0, 0, 0), (11, 19, 2), (3, 17, 1)):
        assert int(found[0, c, y, x]) == given[y, x, c]


def test_what_is_made_of_floats_lies_pixel_by_pixel():
    for channels in (1, 3):
        made = pixels.like(torch.rand(1, channels, 12, 20), BYTES)
        assert pixels.array(made).ctypes.data == made.data_ptr(), "OpenCV would work on a copy"


def test_what_lies_plane_by_plane_is_copied_in_order():
    planes = torch.from_numpy(noise().transpose(2, 0, 1).copy())[None]
    found = pixels.array(planes)
    assert found.flags.c_contiguous
    assert np.array_equal(found, noise())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("planes", [False, True])
def test_the_mean_of_bytes_is_that_of_their_floats(channels, planes):
    x = pixels.tensor(noise(channels))
    x = x.contiguous() if planes else x
    found = pixels.mean(x)
    assert found.shape == ()
    assert float(found) == pytest.approx(float(x.double().mean() / 255), abs=1e-6)
    assert float(pixels.mean(pixels.unit(x))) == pytest.approx(float(found), abs=1e-6)


def test_the_mean_has_no_limit_of_its_number_format():
    assert float(pixels.mean(torch.ones(1, 1, 720, 1280, dtype=torch.float16))) == 1.0
    assert float(pixels.mean(torch.full((1, 3, 720, 1280), 255, dtype=torch.uint8))) == 1.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["alpha", "foreground under the person", "foreground beside the person"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_what_is_no_number_is_refused_although_bytes_cannot_show_it(value, where, dtype):
    """A matte in floats over a backdrop in bytes: the picture itself would look well."""
    alpha, foreground = torch.zeros(1, 1, 36, 64), torch.rand(1, 3, 36, 64)
    alpha[..., :20] = 1.0
    backdrop = pixels.tensor(np.full((36, 64, 3), 90, np.uint8))
    good = Matte(alpha.to(dtype), foreground.to(dtype), 5)
    check(good, composite(good, backdrop), 5, 0.9)
    if where == "alpha":
        alpha[0, 0, 17, 33] = value
    else:
        foreground[0, 1, 17, 5 if "under" in where else 50] = value
    bad = Matte(alpha.to(dtype), foreground.to(dtype), 5)
    with pytest.raises(MattingError, match="NaN or infinity"):
        check(bad, composite(bad, backdrop), 5, 0.9)
