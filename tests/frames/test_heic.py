"""HEIC: upright once, in its own depth, behind the same door as every picture; without its package, what to type."""

import io
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from camdaemon.errors import ConfigError
from camdaemon.frames import hdr, picture
from camdaemon.frames.door import NotInstalled, Unreadable
from camdaemon.frames.header import inspect_picture
from camdaemon.frames.heic import is_heic
from camdaemon.frames.upright import UPRIGHT
from tests.frames.test_deep_picture import deep_gradient, exif_of
from tests.frames.test_picture import gradient
from tests.hostile import damaged, few

pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed; type: pip install pillow-heif")


def encode(pixels: NDArray[Any], mode: str = "", **options: Any) -> bytes:
    """A HEIC of (H,W,C), uint8 or uint16 in full range, of 10 bits then; without loss but for its YUV."""
    mode = mode or f"{'RGBA' if pixels.shape[2] == 4 else 'RGB'}{';16' if pixels.dtype == np.uint16 else ''}"
    file = io.BytesIO()
    options = {"quality": -1, "chroma": 444} | options
    pillow_heif.encode(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes(), file, **options)
    return file.getvalue()


def turned(rgb: NDArray[np.uint8], orientation: int, exif: int) -> bytes:
    """A HEIC that its container turns one way, while its EXIF says the other."""
    heif = pillow_heif.from_pillow(Image.fromarray(rgb))
    heif.info["exif"] = exif_of(orientation)
    file = io.BytesIO()
    heif.save(file, quality=-1, chroma=444)
    assert exif_of(orientation) in file.getvalue()
    return file.getvalue().replace(exif_of(orientation), exif_of(exif))


def test_it_is_read_like_any_other_picture(tmp_path: Path) -> None:
    path, rgb = tmp_path / "room.heic", gradient(64, 96)
    path.write_bytes(encode(rgb))
    for found in (picture.read(path, "x"), picture.read_deep(path, "x")):
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - rgb).max() <= 3
    assert np.abs(picture.read_gray(path, "x").astype(int) - np.asarray(Image.fromarray(rgb).convert("L"))).max() <= 3


def test_the_head_is_told_without_decoding() -> None:
    header = inspect_picture(encode(gradient(64, 96)))
    assert header == ("HEIC", 96, 64, False, UPRIGHT, 0, 255)
    assert inspect_picture(encode(deep_gradient(64, 96))).most == 1023
    assert inspect_picture(encode(np.dstack([gradient(64, 96), gradient(64, 96)[..., 0]]))).has_alpha


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("exif", [None, 1, 6])
def test_it_is_turned_once(orientation: int, exif: int | None) -> None:
    """Telephones say it twice, in the container and in the EXIF; only the container's word counts."""
    stored = gradient(24, 40)
    png = io.BytesIO()
    Image.fromarray(stored).save(png, "PNG", exif=exif_of(orientation))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(png)), int)
    data = turned(stored, orientation, exif or orientation)
    height, width = upright.shape[:2]
    assert inspect_picture(data)[1:3] == (width, height)
    found = picture.decode(data).astype(int)
    assert found.shape == upright.shape
    assert np.abs(found - upright).max() <= 3


def test_the_tiles_of_a_telephone_are_one_picture() -> None:
    rgb = gradient(150, 200)
    data = encode(rgb, tile_size=64)
    assert data.count(b"hvc1") > 6
    assert inspect_picture(data)[1:3] == (200, 150)
    assert np.abs(picture.decode(data).astype(int) - rgb).max() <= 3


@pytest.mark.parametrize("deeper", [False, True], ids=["10 bits", "12 bits"])
def test_more_than_8_bits_stay(tmp_path: Path, deeper: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", deeper)
    path, rgb = tmp_path / "sky.heic", deep_gradient(64, 1024)
    path.write_bytes(encode(rgb))
    deep = picture.read_deep(path, "x")
    assert deep.dtype == np.uint16
    assert np.abs(deep.astype(int) - rgb).max() <= (40 if deeper else 160)
    assert len(np.unique(deep[..., 0])) > 900
    assert (int(deep[..., 0].min()), int(deep[..., 0].max())) == (0, 65535), "the full range"
    plain = picture.read(path, "x")
    assert plain.dtype == np.uint8
    assert np.abs(deep / 257 - plain).max() <= 0.5


@pytest.mark.parametrize("deep", [False, True])
def test_what_is_transparent_shows_a_color(tmp_path: Path, deep: bool) -> None:
    rgb: NDArray[Any] = deep_gradient(64, 96) if deep else gradient(64, 96)
    top = np.iinfo(rgb.dtype).max
    rgba = np.dstack([rgb, np.full((64, 96), top, rgb.dtype)])
    rgba[:32, :, 3] = 0
    path = tmp_path / "logo.heic"
    path.write_bytes(encode(rgba))
    found = picture.read_deep(path, "x", over=picture.CALM)
    assert found.dtype == rgb.dtype
    assert np.abs(found[:30] * (255 / top) - picture.CALM).max() <= 1
    assert np.abs(found[34:] * (255 / top) - rgb[34:] * (255 / top)).max() <= 3
    assert np.abs(picture.read(path, "x", over=picture.CALM) - found * (255 / top)).max() <= 1


def test_colors_that_were_multiplied_by_their_alpha_are_straight() -> None:
    rgb = gradient(64, 96)
    rgba = np.dstack([rgb // 2, np.full((64, 96), 128, np.uint8)])
    found = picture.decode(encode(rgba, "RGBa"))
    assert np.abs(found.astype(int) - rgb).max() <= 8


def test_gray_becomes_rgb() -> None:
    gray = gradient(64, 96)[..., 0]
    found = picture.decode(encode(gray[..., None], "L"))
    assert np.abs(found.astype(int) - gray[..., None]).max() <= 2


def test_hdr_is_mapped_to_sdr(tmp_path: Path) -> None:
    """HLG of 10 bits, as cameras write it. Skin; see `test_hdr`."""
    coded = np.array([0.470381, 0.412924, 0.367340]) * 65535
    data = encode(np.broadcast_to(coded, (64, 64, 3)).astype(np.uint16), color_primaries=9, transfer_characteristics=18)
    assert inspect_picture(data).transfer == hdr.HLG
    path = tmp_path / "hlg.heic"
    path.write_bytes(data)
    deep = picture.read_deep(path, "x")
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - (141, 117, 106)).max() < 3
    assert np.abs(picture.read(path, "x").astype(int) - (141, 117, 106)).max() <= 3


@pytest.mark.parametrize(
    ("brands", "told"),
    [
        (b"heic\0\0\0\0mif1heic", True),
        (b"heix\0\0\0\0mif1heix", True),
        (b"mif1\0\0\0\0mif1heic", True),
        (b"mif1\0\0\0\0mif1avif", False),
        (b"mif1\0\0\0\0mif1miaf", False),
        (b"avif\0\0\0\0mif1heic", False),
        (b"isom\0\0\0\0isommp41", False),
    ],
)
def test_it_is_told_by_its_brands(brands: bytes, told: bool) -> None:
    assert is_heic((len(brands) + 8).to_bytes(4, "big") + b"ftyp" + brands + bytes(50)) is told


def claiming(data: bytes, width: int, height: int) -> bytes:
    at = data.find(b"ispe") + 8
    return data[:at] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[at + 8 :]


def test_too_many_pixels_are_refused_by_the_head(tmp_path: Path) -> None:
    path = tmp_path / "large.heic"
    path.write_bytes(claiming(encode(gradient(64, 96)), 20_000, 20_000))
    with pytest.raises(ConfigError, match=r"20000x20000 pixels.*; try --backdrop blur$"):
        picture.read(path, "--backdrop blur")


def test_a_picture_that_is_larger_than_its_head_says_is_not_decoded() -> None:
    black = np.zeros((1024, 1024, 3), np.uint8)
    with pytest.raises(Unreadable, match="broken"):
        picture.decode(claiming(encode(black, quality=10, chroma=420), 64, 64))


WHOLE = encode(gradient(64, 64))


@given(st.data())
@few
def test_a_damaged_one_is_a_picture_or_a_sentence(data: st.DataObject) -> None:
    with suppress(Unreadable):
        rgb = picture.decode(data.draw(damaged(WHOLE)))
        assert (rgb.ndim, rgb.shape[2], rgb.dtype) == (3, 3, np.uint8)


def test_without_its_package_the_error_names_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(NotInstalled):
        inspect_picture(WHOLE)
    path = tmp_path / "room.heic"
    path.write_bytes(WHOLE)
    with pytest.raises(ConfigError) as wrong:
        picture.read(path, "--backdrop blur")
    needed = f"HEIC needs pillow-heif. Run: {sys.executable} -m pip install pillow-heif"
    assert str(wrong.value) == f"cannot read the picture {path}: {needed}"


def test_nobody_loads_it_for_another_picture(tmp_path: Path) -> None:
    path = tmp_path / "room.png"
    picture.write(path, gradient(8, 8))
    code = f"""
import sys
from pathlib import Path
from camdaemon.frames import picture
picture.read(Path({str(path)!r}), "x")
print("pillow_heif" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr
