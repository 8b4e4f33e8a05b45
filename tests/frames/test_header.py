"""What is refused before a picture is decoded: by its head, its chunks, its passes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from camdaemon.frames import hdr
from camdaemon.frames.door import Unreadable
from camdaemon.frames.header import MOST_PIXELS, inspect_picture
from camdaemon.frames.upright import UPRIGHT, Turn

GREEN = Image.new("RGB", (12, 8), (20, 180, 60))


def encode(image: Image.Image, fmt: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, fmt, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes, claimed: int | None = None) -> bytes:
    length = len(body) if claimed is None else claimed
    return struct.pack(">I", length) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *more: bytes, depth: int = 8) -> bytes:
    """A PNG of black RGB, with `more` chunks before its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0))
    pixels = zlib.compress(bytes(min((1 + 3 * width * depth // 8) * height, 10_000)))
    return b"".join((b"\x89PNG\r\n\x1a\n", head, *more, chunk(b"IDAT", pixels), chunk(b"IEND", b"")))


@pytest.mark.parametrize("fmt", ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"])
def test_the_formats_people_have(fmt: str) -> None:
    assert inspect_picture(encode(GREEN, fmt))[:5] == (fmt, 12, 8, False, UPRIGHT)


@pytest.mark.parametrize("side", [(1, 1), (1, 70_000), (70_000, 1)])
def test_a_point_and_a_line_are_pictures(side: tuple[int, int]) -> None:
    assert inspect_picture(png(*side))[1:3] == side


BOMBS = {
    "a sheet of 50000x50000": (png(50_000, 50_000), "million"),
    "just beyond the limit": (png(11_000, MOST_PIXELS // 11_000 + 1), "million"),
    "a chunk that claims 2 GB": (png(4, 4, chunk(b"tEXt", b"x", claimed=2**31 - 1)), "claims|cut"),
    "a profile that claims 2 GB": (png(4, 4, chunk(b"iCCP", b"x", claimed=2**31 - 1)), "claims|cut"),
    "an animation frame that claims 2 GB": (
        png(4, 4, chunk(b"acTL", struct.pack(">II", 9, 0)), chunk(b"fdAT", b"x", claimed=2**31 - 1)),
        "claims|cut",
    ),
    "17 MB of text": (png(4, 4, chunk(b"tEXt", b"a\0" + bytes(17 << 20))), "17 MB"),
    "100 MB of packed text": (png(4, 4, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100 << 20)))), "broken"),
    "100 MB of packed profile": (png(4, 4, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100 << 20)))), "broken"),
    "cut off": (png(4, 4)[:-20], "cut off"),
    "a JPEG of 300 passes": (
        b"\xff\xd8" + encode(GREEN, "JPEG")[2:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 300 + b"\xff\xd9",
        "passes",
    ),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "JPEG, PNG"),
    "a HEIC of zeros": (b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(100), "broken HEIC|needs pillow-heif"),
    "an animation of AVIF that is none": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif" + bytes(100), "JPEG, PNG"),
    "text": (b"Dear reader", "JPEG, PNG"),
    "a head and nothing else": (b"\x89PNG\r\n\x1a\n", "cut off"),
}


@pytest.mark.parametrize(("data", "why"), BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_for_what_its_head_says(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        inspect_picture(data)


def test_a_progressive_jpeg_with_a_film_behind_it_is_a_picture() -> None:
    """As telephones append it. Its bytes look like passes."""
    data = encode(GREEN, "JPEG", progressive=True) + b"\xff\xda\x00\x02" * 500
    assert inspect_picture(data).fmt == "JPEG"


def test_only_the_formats_that_are_asked_for() -> None:
    with pytest.raises(Unreadable):
        inspect_picture(encode(GREEN, "GIF"), ("PNG", "JPEG"))
    with pytest.raises(Unreadable, match="million"):
        inspect_picture(encode(GREEN, "PNG"), most_pixels=95)
    with pytest.raises(Unreadable, match="heif-convert"):
        inspect_picture(b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(100), ("PNG", "JPEG"))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_told(mode: str) -> None:
    assert inspect_picture(encode(GREEN.convert("RGBA").convert(mode), "PNG")).has_alpha


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_tells_how_the_camera_was_held(fmt: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    corners = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40)
    file = encode(corners, fmt, exif=exif)
    turn = inspect_picture(file).turn
    assert turn == Turn.from_exif(orientation)
    from PIL import ImageOps

    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(encode(corners, "PNG", exif=exif)))))
    np.testing.assert_array_equal(turn.apply(np.asarray(corners)), upright)


def test_damaged_notes_do_not_spoil_a_picture() -> None:
    assert inspect_picture(png(4, 4, chunk(b"eXIf", b"nonsense"))).turn == UPRIGHT
    assert inspect_picture(encode(GREEN, "JPEG", exif=b"Exif\0\0nonsense")).turn == UPRIGHT


@pytest.mark.parametrize(
    ("data", "transfer"),
    [
        (png(4, 4, chunk(b"cICP", bytes((9, 16, 0, 1)))), hdr.PQ),
        (png(4, 4, chunk(b"cICP", bytes((9, 18, 0, 1)))), hdr.HLG),
        (png(4, 4, chunk(b"cICP", bytes((1, 13, 0, 1)))), 0),
        (png(4, 4), 0),
        (encode(GREEN, "AVIF"), 0),
        (encode(GREEN, "AVIF").replace(b"colrnclx\0\1\0\x0d", b"colrnclx\0\x09\0\x10"), hdr.PQ),
    ],
)
def test_hdr_is_told(data: bytes, transfer: int) -> None:
    assert inspect_picture(data).transfer == transfer
