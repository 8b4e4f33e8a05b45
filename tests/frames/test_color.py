"""Colors: the textbook's values, and host and device that agree, whatever the format."""

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from camdaemon.frames import color
from camdaemon.frames.frame import PixelFormat, Size
from camdaemon.frames.tensors.color import from_rgb, to_rgb

SIZE = Size(128, 72)
RGB, BGR, YUYV, NV12, I420 = (PixelFormat(name) for name in ("RGB", "BGR", "YUYV", "NV12", "I420"))

# ITU-R BT.601, limited range: Y = 16 + 219·(0.299 R + 0.587 G + 0.114 B) and so on.
TEXTBOOK = {
    "red": ((255, 0, 0), (81, 90, 240)),
    "green": ((0, 255, 0), (145, 54, 34)),
    "blue": ((0, 0, 255), (41, 240, 110)),
    "yellow": ((255, 255, 0), (210, 16, 146)),
    "cyan": ((0, 255, 255), (170, 166, 16)),
    "magenta": ((255, 0, 255), (106, 202, 222)),
    "white": ((255, 255, 255), (235, 128, 128)),
    "gray": ((128, 128, 128), (126, 128, 128)),
    "black": ((0, 0, 0), (16, 128, 128)),
}


def smooth() -> np.ndarray:
    """A picture like a soft photograph: every channel changes slowly and in another direction."""
    y, x = np.mgrid[0 : SIZE.height, 0 : SIZE.width] / SIZE.width
    waves = [np.sin(3 * x + 1), np.cos(4 * y + x), np.sin(2 * (x + y))]
    return np.stack([127.5 + 90 * wave for wave in waves], 2).astype(np.uint8)


def noise(fmt: PixelFormat) -> np.ndarray:
    """Legal YUV of every kind (Y 16..235, U and V 16..240), also such as is outside of the RGB cube."""
    return np.random.default_rng(3).integers(16, 236, fmt.shape(SIZE), np.uint8)


def on_host(rgb: np.ndarray, fmt: PixelFormat) -> np.ndarray:
    out = np.empty(fmt.shape(SIZE), np.uint8)
    color.rgb_to_host(rgb, fmt, out)
    return out


def on_device(rgb: np.ndarray, fmt: PixelFormat) -> np.ndarray:
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255
    return from_rgb(tensor, fmt).numpy()


def back_on_device(data: np.ndarray, fmt: PixelFormat) -> np.ndarray:
    tensor = to_rgb(torch.from_numpy(data), fmt, torch.float32)
    assert tensor.shape == (1, 3, SIZE.height, SIZE.width)
    assert 0 <= float(tensor.amin()) <= float(tensor.amax()) <= 1
    return (tensor[0].permute(1, 2, 0) * 255).numpy()


def packed(yuv: tuple[int, int, int], fmt: PixelFormat) -> np.ndarray:
    """One YUV color everywhere, laid out by hand as the format's description says."""
    y, u, v = yuv
    data = np.full(fmt.shape(SIZE), y, np.uint8)
    if fmt is YUYV:
        data[:, 0::2, 1], data[:, 1::2, 1] = u, v
    elif fmt is NV12:
        data[SIZE.height :, 0::2], data[SIZE.height :, 1::2] = u, v
    else:
        quarter = SIZE.height // 4
        data[SIZE.height : SIZE.height + quarter], data[SIZE.height + quarter :] = u, v
    return data


@pytest.mark.parametrize("way", [on_host, on_device])
@pytest.mark.parametrize("name", TEXTBOOK)
def test_what_goes_out_has_the_textbook_values(way, name):
    rgb, yuv = TEXTBOOK[name]
    data = way(np.full((SIZE.height, SIZE.width, 3), rgb, np.uint8), I420)
    assert data.shape == I420.shape(SIZE)
    assert np.abs(data.astype(int) - packed(yuv, I420)).max() <= 1


@pytest.mark.parametrize("way", [color.host_to_rgb, back_on_device])
@pytest.mark.parametrize("fmt", [YUYV, NV12, I420])
@pytest.mark.parametrize("name", TEXTBOOK)
def test_the_textbook_values_come_in_as_the_color(way, fmt, name):
    rgb, yuv = TEXTBOOK[name]
    assert np.abs(way(packed(yuv, fmt), fmt).astype(float) - rgb).max() <= 3


@pytest.mark.parametrize("fmt", [YUYV, NV12, I420, BGR, RGB])
def test_host_and_device_read_every_format_alike(fmt):
    data = noise(fmt)
    host, device = color.host_to_rgb(data, fmt).astype(float), back_on_device(data, fmt)
    assert host.shape == (SIZE.height, SIZE.width, 3)
    assert np.abs(host - device).max() <= 2


@pytest.mark.parametrize("fmt", [I420, BGR, RGB])
def test_host_and_device_write_every_format_alike(fmt):
    host, device = on_host(smooth(), fmt), on_device(smooth(), fmt)
    assert host.shape == device.shape == fmt.shape(SIZE)
    assert np.abs(host.astype(int) - device.astype(int)).max() <= 2


@pytest.mark.parametrize("write", [on_host, on_device])
@pytest.mark.parametrize("read", [color.host_to_rgb, back_on_device])
@pytest.mark.parametrize("fmt", [I420, BGR, RGB])
def test_a_smooth_picture_survives_out_and_in(write, read, fmt):
    found = read(write(smooth(), fmt), fmt).astype(float)
    difference = np.abs(found - smooth())
    limit = 0.01 if fmt is not I420 else 3
    assert difference.mean() <= limit
    assert np.quantile(difference, 0.99) <= 2 * limit + 2


@pytest.mark.parametrize("fmt", [YUYV, NV12])
def test_a_smooth_picture_from_a_camera_survives(fmt):
    """What a webcam's chip would send of it, made here with OpenCV."""
    yuv = cv2.cvtColor(smooth(), cv2.COLOR_RGB2YUV_I420)
    luma, chroma = yuv[: SIZE.height], yuv[SIZE.height :].reshape(2, SIZE.height // 2, SIZE.width // 2)
    if fmt is NV12:
        data = np.concatenate((luma, chroma.transpose(1, 2, 0).reshape(SIZE.height // 2, SIZE.width)))
    else:
        pairs = chroma.transpose(1, 2, 0).reshape(SIZE.height // 2, SIZE.width).repeat(2, 0)
        data = np.stack((luma, pairs), 2)
    sent: NDArray[np.uint8] = data.astype(np.uint8)
    for found in (color.host_to_rgb(sent, fmt), back_on_device(sent, fmt)):
        assert np.abs(found.astype(float) - smooth()).mean() <= 3


@pytest.mark.parametrize("way", [on_host, on_device])
def test_the_chroma_that_goes_out_is_the_mean_of_its_four_pixels(way):
    """Red in one pixel of four: the block is a quarter red, on the host and on the device (see color.py's head)."""
    rgb = np.zeros((SIZE.height, SIZE.width, 3), np.uint8)
    rgb[::2, ::2] = (255, 0, 0)
    chroma = way(rgb, I420)[SIZE.height :].reshape(2, -1).astype(int)
    quarter = [128 + (90 - 128) / 4, 128 + (240 - 128) / 4]
    assert np.abs(chroma.mean(1) - quarter).max() <= 2


def test_the_chroma_that_comes_in_is_repeated_not_shifted():
    """An edge between two chroma samples stays where it was."""
    for fmt in (YUYV, NV12, I420):
        data = packed((126, 128, 128), fmt)
        red = packed(TEXTBOOK["red"][1], fmt)
        if fmt is I420:
            rows = data[SIZE.height :].reshape(2, SIZE.height // 2, SIZE.width // 2)
            rows[:, :, 20:] = red[SIZE.height :].reshape(rows.shape)[:, :, 20:]
        else:
            data[:, 40:] = red[:, 40:]
        found = back_on_device(data, fmt)
        excess = found[..., 0] - found[..., 2]
        assert excess[:, :40].max() < 5, fmt
        assert excess[:, 40:].min() > 60, fmt


@pytest.mark.parametrize(
    ("value", "level"), [(-0.2, 0), (0.0, 0), (100.4 / 255, 100), (100.6 / 255, 101), (1.0, 255), (1.2, 255)]
)
def test_values_are_rounded_and_do_not_wrap_around(value, level):
    assert set(from_rgb(torch.full((1, 3, 64, 64), value), RGB).unique().tolist()) == {level}
    luma = from_rgb(torch.full((1, 3, 64, 64), value), I420)[:64]
    assert abs(int(luma[0, 0]) - min(255, max(0, 16 + 219 * value))) <= 1, "of YUV nothing may wrap either"


@pytest.mark.parametrize("fmt", [YUYV, NV12])
def test_no_sink_takes_a_camera_format(fmt):
    with pytest.raises(NotImplementedError):
        on_host(smooth(), fmt)
    with pytest.raises(NotImplementedError):
        on_device(smooth(), fmt)


def test_rgb_needs_no_copy():
    rgb = smooth()
    assert color.host_to_rgb(rgb, RGB) is rgb
