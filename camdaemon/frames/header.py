"""What the head of a picture's file says, and what is refused for it before anything is decoded."""

from __future__ import annotations

import io
import re
import struct
import warnings
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from camdaemon.frames.coding import find_coding
from camdaemon.frames.door import Unreadable
from camdaemon.frames.heic import inspect_heic, is_heic
from camdaemon.frames.upright import UPRIGHT, Turn

MOST_PIXELS = 110_000_000  # of a picture; a telephone's largest has 108 million
_MOST_CHUNK_BYTES = 16 << 20  # of a PNG's chunk that holds no pixels
_MOST_SCANS = 100  # of a progressive JPEG: each is a pass over all pixels
FORMATS = (
    "AVIF",
    "BMP",
    "GIF",
    "HEIC",
    "JPEG",
    "JPEG2000",
    "PNG",
    "PPM",
    "TIFF",
    "WEBP",
)  # as Pillow calls them, but for HEIC
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]", re.DOTALL)  # of a JPEG, but for those within a scan
_ORIENTATION = 274  # EXIF's tag


class Header(NamedTuple):
    """What a picture is before it is decoded.

    Attributes:
        fmt: One of `FORMATS`.
        width: In pixels, as it is stored.
        height: In pixels, as it is stored.
        has_alpha: Whether parts may be transparent.
        turn: How it is turned to stand upright.
        transfer: See `coding.Coding`.
        most: See `coding.Coding`.
    """

    fmt: str
    width: int
    height: int
    has_alpha: bool
    turn: Turn
    transfer: int = 0
    most: int = 0


def inspect_picture(data: bytes, formats: tuple[str, ...] = FORMATS, most_pixels: int = MOST_PIXELS) -> Header:
    """Read the head of a picture.

    Args:
        data: The whole file.
        formats: Those that are allowed.
        most_pixels: Width times height at most.

    Raises:
        Unreadable: It is none of the formats, too large, cut off, or would unpack to far more than it says.
        NotInstalled: It is HEIC, which needs a package.
    """
    if is_heic(data) and "HEIC" in formats:
        width, height, has_alpha, coding = inspect_heic(data)
        header = Header("HEIC", width, height, has_alpha, UPRIGHT, *coding)
    else:
        header = _inspect(data, tuple(fmt for fmt in formats if fmt != "HEIC"), most_pixels)
    if header.width * header.height > most_pixels:
        size = f"{header.width}x{header.height}"
        raise Unreadable(f"it has {size} pixels, more than {most_pixels // 10**6} million")
    return header


def _inspect(data: bytes, formats: tuple[str, ...], most_pixels: int) -> Header:
    """Read the head of a picture of Pillow's formats."""
    chunks = _check_chunks(data) if data.startswith(_SIGNATURE) else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd heads; the limits are here
            with Image.open(io.BytesIO(data), formats=formats) as head:
                fmt, (width, height) = str(head.format), head.size
                has_alpha, turn = head.has_transparency_data, _turn_of(head, chunks)
    except Image.DecompressionBombError:
        raise Unreadable(f"it has more than {most_pixels // 10**6} million pixels") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, KeyError, struct.error, OverflowError):
        raise Unreadable(_say_what_it_is(data)) from None
    if fmt in ("JPEG", "MPO"):
        if _count_scans(data) > _MOST_SCANS:
            raise Unreadable(f"it is a JPEG of more than {_MOST_SCANS} passes")
        fmt = "JPEG"
    return Header(fmt, width, height, has_alpha, turn, *find_coding(data, fmt, chunks))


def _say_what_it_is(data: bytes) -> str:
    if is_heic(data):
        return "HEIC is not read here; convert it with: heif-convert PICTURE.heic PICTURE.jpg"
    return "it is broken, or no JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP"


def _check_chunks(data: bytes) -> dict[bytes, bytes]:
    """Walk over a PNG's chunks; return those that tell its colors. Raises Unreadable."""
    at, found = len(_SIGNATURE), {}
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise Unreadable("it is cut off, or a chunk of it claims more than there is")
        if length > _MOST_CHUNK_BYTES and kind not in (b"IDAT", b"fdAT"):
            raise Unreadable(f"{length >> 20} MB of it are no picture")
        if kind in (b"cICP", b"iCCP", b"eXIf"):
            found[kind] = data[at + 8 : at + 8 + length]
        if kind == b"IEND":
            return found
        at += 12 + length
    raise Unreadable("it is cut off")


def _turn_of(head: Image.Image, chunks: dict[bytes, bytes]) -> Turn:
    try:
        if head.format != "PNG":
            return Turn.from_exif(head.getexif().get(_ORIENTATION, 1))
        exif = Image.Exif()  # a PNG's may stand behind the pixels, which Pillow would decode for it
        exif.load(chunks.get(b"eXIf", b""))
        return Turn.from_exif(exif.get(_ORIENTATION, 1))
    except (SyntaxError, ValueError, TypeError, KeyError, OSError, struct.error):  # damaged notes to a good picture
        return UPRIGHT


def _count_scans(data: bytes) -> int:
    """Count the scans of a JPEG up to its end; what is appended (a film, a second picture) does not count."""
    at, scans = 2, 0
    while found := _MARKER.search(data, at):
        kind = data[found.start() + 1]
        if kind == 0xD9:
            break
        scans += kind == 0xDA
        has_length = kind not in (0x01, 0xD8) and found.end() + 2 <= len(data)
        at = found.end() + (struct.unpack_from(">H", data, found.end())[0] if has_length else 0)
    return scans
