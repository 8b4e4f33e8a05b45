"""Frames onto the device and back: range, colors, the center of other shapes, and buffers that are free at once."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from camdaemon.errors import ConfigError
from camdaemon.frames import color, pixels
from camdaemon.frames import transfer as transfers
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.pixels import Array
from camdaemon.frames.transfer import HostTransfer, Transfer, choose_device, open_transfer
from tests.kinds import copied, floats, same

SIZE = Size(128, 72)
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")),
]
NAMES = {"red": (255, 0, 0), "blue": (0, 0, 255), "skin": (224, 172, 140), "black": (0, 0, 0), "white": (255,) * 3}


@pytest.fixture(params=DEVICES)
def transfer(request) -> Transfer:
    return open_transfer(request.param, SIZE)


def frame(rgb: np.ndarray, fmt: PixelFormat = PixelFormat.RGB) -> HostFrame:
    size = Size(rgb.shape[1], rgb.shape[0])
    made = HostFrame.empty(fmt, size)
    color.rgb_to_host(np.ascontiguousarray(rgb), fmt, made.data)
    return made


def smooth(height: int = SIZE.height, width: int = SIZE.width) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = [np.sin(5 * x + 1), np.cos(6 * y + 2 * x), np.sin(4 * (x + y))]
    return np.stack([127.5 + 110 * wave for wave in waves], 2).astype(np.uint8)


def host(src: Array) -> np.ndarray:
    """(H,W,3), 0..255, whatever the device counts in."""
    return (floats(src)[0].permute(1, 2, 0).float() * 255).cpu().numpy()


def dtype_of(transfer: Transfer) -> object:
    """Return what its pictures count in."""
    return np.dtype(np.uint8) if transfer.device == "cpu" else torch.float16


@pytest.mark.parametrize("fmt", [PixelFormat.RGB, PixelFormat.BGR, PixelFormat.I420])
@pytest.mark.parametrize("name", NAMES)
def test_a_color_arrives_as_itself(transfer, fmt, name):
    rgb = np.full((SIZE.height, SIZE.width, 3), NAMES[name], np.uint8)
    src = transfer.upload(frame(rgb, fmt))
    assert src.shape == (1, 3, SIZE.height, SIZE.width)
    assert src.dtype == dtype_of(transfer)
    assert ("cpu" if pixels.is_host(src) else src.device.type) == transfer.device
    assert 0 <= float(floats(src).amin()) <= float(floats(src).amax()) <= 1
    assert np.abs(host(src) - NAMES[name]).max() <= 3


def test_the_cpu_counts_in_bytes_and_the_accelerator_in_halves(transfer):
    for src in (transfer.upload(frame(smooth())), transfer.upload_picture(smooth())):
        assert pixels.is_host(src) == (transfer.device == "cpu")
        assert src.dtype == dtype_of(transfer)


@pytest.mark.parametrize("name", NAMES)
def test_rgb_comes_through_the_cpu_bit_for_bit(name):
    transfer, out = HostTransfer(SIZE), HostFrame.empty(PixelFormat.RGB, SIZE)
    rgb = smooth()
    rgb[10:20, 30:50] = NAMES[name]
    src = transfer.upload(frame(rgb))
    assert pixels.is_host(src)
    assert np.array_equal(pixels.interleave(src), rgb)
    assert np.shares_memory(pixels.interleave(src), src), "OpenCV works on the picture's memory"
    for given in (src, np.ascontiguousarray(src)):  # pixel by pixel, and plane by plane
        out.data[:] = 0
        transfer.download(given, out)
        assert np.array_equal(out.data, rgb)
    assert np.array_equal(pixels.interleave(pixels.to_host(transfer.upload_picture(rgb))), rgb)


@pytest.mark.parametrize("fmt", [PixelFormat.RGB, PixelFormat.BGR, PixelFormat.YUYV, PixelFormat.NV12])
def test_the_frame_and_the_picture_are_apart(transfer, fmt):
    """Neither does a change of the picture reach the camera's buffer."""
    made = HostFrame.empty(fmt, SIZE)
    made.data[:] = np.random.default_rng(2).integers(60, 180, made.data.shape, np.uint8)
    before = made.data.copy()
    transfer.upload(made)[:] = 0
    assert np.array_equal(made.data, before)


@pytest.mark.parametrize(("height", "width"), [(144, 256), (288, 512), (36 * 4, 64), (64, 256), (72, 256), (200, 128)])
def test_another_size_becomes_its_center_in_true_shape(transfer, height, width):
    """A white disc in the middle of the frame stays a disc in the middle."""
    rgb = np.zeros((height, width, 3), np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    rgb[(y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2 < (0.2 * min(height, width)) ** 2] = 255
    src = host(transfer.upload(frame(rgb)))
    assert src.shape == (SIZE.height, SIZE.width, 3)
    rows, columns = np.nonzero(src[..., 0] > 127)
    assert abs(rows.mean() - 35.5) < 1.5
    assert abs(columns.mean() - 63.5) < 1.5
    assert (np.ptp(rows) + 1) / (np.ptp(columns) + 1) == pytest.approx(1, abs=0.15)


def test_the_buffer_may_be_overwritten_as_soon_as_upload_returns(transfer):
    pool = transfer.pool(PixelFormat.RGB, SIZE, 1)
    lent = pool.acquire()
    lent.data[:] = smooth()
    src = transfer.upload(lent)
    lent.data[:] = 0
    assert np.abs(host(src) - smooth()).max() <= 1.5


def test_the_next_upload_is_the_next_frame(transfer):
    transfer.upload(frame(np.full((72, 128, 3), 200, np.uint8)))
    assert np.abs(host(transfer.upload(frame(smooth()))) - smooth()).max() <= 1.5


@pytest.mark.parametrize("fmt", [PixelFormat.RGB, PixelFormat.BGR, PixelFormat.I420])
def test_down_and_up_again_is_the_same_picture(transfer, fmt):
    out = transfer.pool(fmt, SIZE, 1).acquire()
    original = copied(transfer.upload(frame(smooth())))
    transfer.download(original, out)
    assert np.abs(host(transfer.upload(out)) - smooth()).mean() <= (3 if fmt is PixelFormat.I420 else 0.6)
    assert np.abs(host(original) - smooth()).max() <= 1.5, "download must not change what it is given"


def test_download_clamps_and_rounds(transfer):
    out = HostFrame.empty(PixelFormat.RGB, SIZE)
    model = transfer.upload_picture(smooth())
    for value, expected in ((-0.1, 0), (1.1, 255), (100.4 / 255, 100), (100.6 / 255, 101)):
        finished = pixels.to_kind_of(model, np.full((1, 3, 72, 128), value, np.float32))
        transfer.download(pixels.like(finished, model), out)
        assert set(np.unique(out.data)) == {expected}


def test_a_picture_of_any_size_is_uploaded_into_a_memory_of_its_own(transfer):
    one, other = transfer.upload_picture(smooth(40, 52)), transfer.upload_picture(smooth()[:, ::-1])
    assert one.shape == (1, 3, 40, 52)
    assert np.abs(host(one) - smooth(40, 52)).max() <= 1
    assert np.abs(host(other) - smooth()[:, ::-1]).max() <= 1
    assert other.dtype == dtype_of(transfer)
    kept = copied(other)
    given = smooth()
    third = transfer.upload_picture(given)
    given[:] = 0
    assert np.abs(host(third) - smooth()).max() <= 1, "the picture's array may be used for something else"
    transfer.upload(frame(np.zeros((72, 128, 3), np.uint8)))
    assert same(other, kept), "an upload of a frame must not change a picture"


def test_the_pool_makes_frames_that_fit(transfer):
    pool = transfer.pool(PixelFormat.NV12, Size(64, 68), 2)
    lent = [pool.acquire(), pool.acquire()]
    assert {each.data.shape for each in lent} == {(102, 64)}
    assert not np.shares_memory(lent[0].data, lent[1].data)


def test_the_device_is_chosen():
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
def test_cuda_that_is_not_there_says_what_to_type():
    with pytest.raises(ConfigError, match=r"sees no CUDA GPU.*--device auto.*camdaemon doctor$"):
        choose_device("cuda")


def without_torch(monkeypatch):
    monkeypatch.setattr(transfers, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.parametrize("has_driver", [True, False])
def test_without_torch_all_is_computed_on_the_cpu(monkeypatch, has_driver):
    without_torch(monkeypatch)
    monkeypatch.setattr(transfers, "has_cuda_driver", lambda: has_driver)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match=r"torch is not installed.*--device auto.*camdaemon doctor$"):
        choose_device("cuda")


@pytest.mark.parametrize("is_available", [True, False])
def test_torch_is_asked_only_where_a_driver_is(monkeypatch, is_available):
    """Loading it takes seconds."""
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: asked.append(1) or is_available)
    monkeypatch.setattr(transfers, "has_cuda_driver", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    assert not asked
    monkeypatch.setattr(transfers, "has_cuda_driver", lambda: True)
    assert choose_device("auto") == ("cuda" if is_available else "cpu")
    assert asked


def test_a_device_has_its_own_transfer(transfer):
    assert isinstance(transfer, HostTransfer) == (transfer.device == "cpu")
    assert transfer.size == SIZE
    transfer.release_memory()
    with transfer.computing():
        src = transfer.upload(frame(smooth()))
    assert np.abs(host(src) - smooth()).max() <= 1.5


def test_the_cpu_does_without_torch():
    """Where it is not installed, and so that nobody waits for it."""
    done = subprocess.run([sys.executable, "-c", _WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


_WITHOUT_TORCH = """
import sys
import numpy as np
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.transfer import choose_device, open_transfer

size = Size(128, 72)
transfer, frame = open_transfer(choose_device("cpu"), size), HostFrame.empty(PixelFormat.I420, size)
with transfer.computing():
    src = transfer.upload(frame)
transfer.download(src, frame)
transfer.release_memory()
print([name for name in sys.modules if name.partition(".")[0] == "torch"])
"""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
@pytest.mark.parametrize("fmt", [PixelFormat.YUYV, PixelFormat.NV12, PixelFormat.I420, PixelFormat.RGB])
def test_cuda_and_cpu_see_the_same_frame(fmt):
    made = HostFrame.empty(fmt, Size(256, 144))
    made.data[:] = np.random.default_rng(1).integers(60, 180, made.data.shape, np.uint8)
    cuda, cpu = (each.upload(made) for each in (open_transfer("cuda", SIZE), HostTransfer(SIZE)))
    assert cuda.dtype == torch.float16
    assert np.abs(host(cuda) - host(cpu)).mean() <= 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_on_cuda_a_hundred_frames_do_not_get_mixed_up():
    """Each frame's own brightness comes back out, with pinned buffers that are overwritten at once."""
    transfer = open_transfer("cuda", SIZE)
    inputs, outputs = transfer.pool(PixelFormat.RGB, SIZE, 1), transfer.pool(PixelFormat.RGB, SIZE, 1)
    lent, out = inputs.acquire(), outputs.acquire()
    for i in range(100):
        lent.data[:] = i
        src = transfer.upload(lent)
        lent.data[:] = 255
        transfer.download(src, out)
        assert set(np.unique(out.data)) == {i}
