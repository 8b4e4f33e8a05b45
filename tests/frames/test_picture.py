"""Pictures on the host: what cannot be read says what to type, a file is never half written, a cut is centerd."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import torch

from camdaemon.errors import ConfigError
from camdaemon.frames import picture, pixels
from camdaemon.frames.frame import Size


def gradient(height: int, width: int) -> picture.Picture:
    """Red grows to the right, green downwards, blue is even: any swap of axes or channels shows."""
    rgb = np.full((height, width, 3), 77, np.uint8)
    rgb[..., 0] = np.linspace(0, 255, width)[None, :]
    rgb[..., 1] = np.linspace(0, 255, height)[:, None]
    return rgb


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_that_claims(side: int) -> bytes:
    """A few bytes that announce a picture of side × side pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_what_is_written_is_read_again(tmp_path):
    path, rgb = tmp_path / "new" / "folder" / "a.png", gradient(36, 64)
    picture.write(path, rgb)
    assert np.array_equal(picture.read(path, "x"), rgb)
    assert [each.name for each in path.parent.iterdir()] == ["a.png"], "the partial file must be gone"


def test_a_reader_never_sees_half_a_file(tmp_path, monkeypatch):
    """The disk is full in the middle of writing: the old picture is still whole."""
    path = tmp_path / "plate.png"
    picture.write(path, gradient(36, 64))
    before = path.read_bytes()

    def cut_short(self, data):
        with self.open("wb") as file:
            file.write(data[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", cut_short)
    with pytest.raises(OSError, match="No space left"):
        picture.write(path, gradient(72, 128))
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".jpg"])
def test_the_kinds_of_files_people_have(tmp_path, suffix):
    path, rgb = tmp_path / f"a{suffix}", gradient(90, 160)
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    assert np.abs(picture.read(path, "x").astype(int) - rgb).mean() < 4


@pytest.mark.parametrize("shape", [(36, 64), (36, 64, 4)], ids=["gray", "transparent"])
def test_gray_and_transparent_files_become_rgb(tmp_path, shape):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full(shape, 90, np.uint8))
    rgb = picture.read(path, "x")
    assert (rgb.shape, rgb.dtype) == ((36, 64, 3), np.uint8)
    assert (rgb == 90).all()


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", b"\x89PNG\r\n\x1a\n", png_that_claims(60_000)],
    ids=["empty", "text", "cut", "absurdly large"],
)
def test_a_broken_file_says_what_to_type(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r" --backdrop blur$") as wrong:
        picture.read(path, "--backdrop blur")
    assert str(path) in str(wrong.value)


def test_an_absent_file_and_a_folder_say_why(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.png.*No such file.*\bX$"):
        picture.read(tmp_path / "absent.png", "X")
    with pytest.raises(ConfigError, match=r"Is a directory.*\bX$"):
        picture.read(tmp_path, "X")


def test_a_picture_that_fits_is_not_touched():
    rgb = gradient(72, 128)
    assert picture.cover(rgb, Size(128, 72)) is rgb


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (200, 300), (300, 200), (40, 40), (36, 64), (50, 200)])
def test_the_cover_is_the_center_in_its_true_shape(height, width):
    """A disc in the middle stays a disc in the middle."""
    rgb = np.zeros((height, width, 3), np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    radius = 0.2 * min(height, width)
    rgb[(y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2 < radius**2] = 255
    found = picture.cover(rgb, Size(128, 72))
    assert found.shape == (72, 128, 3)
    assert found.flags.c_contiguous
    rows, columns = np.nonzero(found[..., 0] > 127)
    assert abs(rows.mean() - 35.5) < 1.5
    assert abs(columns.mean() - 63.5) < 1.5
    assert (np.ptp(rows) + 1) / (np.ptp(columns) + 1) == pytest.approx(1, abs=0.15)


def test_a_large_picture_is_averaged_not_sampled():
    """A fine chequerboard becomes gray; taking every nth pixel would keep black or white."""
    board = np.indices((720, 1280)).sum(0) % 2 * 255
    found = picture.cover(np.repeat(board[..., None], 3, 2).astype(np.uint8), Size(128, 72))
    assert np.abs(found.astype(int) - 127).max() <= 2


@pytest.mark.parametrize(
    "of", [pixels.as_bytes, pixels.unit, lambda x: pixels.unit(x).half()], ids=["u8", "f32", "f16"]
)
def test_a_tensor_of_either_level_becomes_a_picture_of_its_own(of):
    rgb = gradient(36, 64)
    for wanted in (rgb, rgb[..., 1]):
        given = of(pixels.tensor(wanted.copy()))
        for tensor in (given.contiguous(memory_format=torch.channels_last).clone(), given.contiguous().clone()):
            found = picture.from_tensor(tensor)
            assert (found.dtype, found.flags.c_contiguous) == (np.uint8, True)
            tensor.zero_()
            assert np.array_equal(found, wanted), "a copy, since tensors are only borrowed"


def test_floats_out_of_range_do_not_wrap_and_are_rounded():
    values = torch.tensor([1.2, -0.1, 100.6 / 255])[None, :, None, None].expand(1, 3, 4, 8)
    assert picture.from_tensor(values)[2, 5].tolist() == [255, 0, 101]


@pytest.mark.parametrize("factor", [1.5, 2, 3, 4.7])
def test_a_smaller_picture_is_the_mean_of_what_it_covers(factor):
    """Fine stripes become gray, not other stripes; the middle stays the middle."""
    size = Size(160, 120)
    height, width = round(120 * factor), round(160 * factor)
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[:, ::2] = 200
    out = picture.cover(rgb, size)
    assert abs(out[:, 4:-4].mean() - 100) < 3
    middle = picture.cover(gradient(height, width), size)
    assert np.allclose(middle[..., 0].mean(0), np.linspace(0, 255, 160), atol=4)
    assert np.allclose(middle[..., 1].mean(1), np.linspace(0, 255, 120), atol=4)
