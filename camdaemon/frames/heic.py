"""HEIC, as telephones photograph, through pillow-heif: an extra, because most people never need its libraries."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames import hdr
from camdaemon.frames.coding import Coding
from camdaemon.frames.door import NotInstalled, Unreadable

if TYPE_CHECKING:
    from pillow_heif import HeifFile

_HEVC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF = {b"avif", b"avis"}
_ERRORS = (RuntimeError, ValueError, OSError, EOFError, SyntaxError, MemoryError, LookupError, struct.error)


class HeicHead(NamedTuple):
    """What a HEIC is before it is decoded.

    Attributes:
        width: In pixels, upright: libheif turns it, by its container. Its EXIF, which says so again, is for others.
        height: In pixels, upright.
        has_alpha: Whether parts may be transparent.
        coding: See `Coding`.
    """

    width: int
    height: int
    has_alpha: bool
    coding: Coding


def is_heic(data: bytes) -> bool:
    """Tell whether a file calls itself HEIC, or HEIF with pictures of HEVC."""
    if data[4:8] != b"ftyp":
        return False
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    named = {brands[at : at + 4] for at in range(8, len(brands), 4)}
    return brands[:4] in _HEVC or (brands[:4] in (b"mif1", b"msf1") and bool(named & _HEVC) and not named & _AVIF)


def inspect_heic(data: bytes) -> HeicHead:
    """Read the head of a HEIC; nothing is decoded.

    Raises:
        NotInstalled: pillow-heif is not there.
        Unreadable: The head is broken.
    """
    image = _open(data)
    try:
        (width, height), info = image.size, image.info
        transfer = info.get("nclx_profile", {}).get("transfer_characteristics", 0)
        coding = Coding(transfer if hdr.is_hdr(transfer) else 0, (1 << _bits(image)) - 1)
        return HeicHead(width, height, image.has_alpha, coding)
    except _ERRORS:
        raise Unreadable("it is a broken HEIC") from None


def decode_heic(data: bytes, flags: int) -> NDArray[Any]:
    """Decode as OpenCV would by its `flags`, but in the file's depth: uint8 or uint16 (H,W,3), (H,W,4) or (H,W).

    Libheif stops where the pictures inside are larger than the head said.

    Raises:
        Unreadable: The picture is broken.
    """
    image = _open(data)
    try:
        image.data  # noqa: B018  decodes it; an error in the next line would be numpy's
        found: NDArray[Any] = np.asarray(image)
    except _ERRORS:
        raise Unreadable("its head is right, its picture is broken") from None
    if found.ndim == 3 and found.shape[2] == 2:
        found = found[..., [0, 0, 0, 1]]
    if image.has_alpha and image.premultiplied_alpha:
        found = _divide_by_alpha(found, (1 << _bits(image)) - 1)
    if flags == cv2.IMREAD_UNCHANGED:
        return found
    if not flags & cv2.IMREAD_COLOR:
        return np.asarray(cv2.cvtColor(found[..., :3], cv2.COLOR_BGR2GRAY)) if found.ndim == 3 else found
    return found[..., None].repeat(3, 2) if found.ndim < 3 else np.ascontiguousarray(found[..., :3])


def _open(data: bytes) -> HeifFile:
    try:
        from pillow_heif import open_heif
    except ImportError:
        raise NotInstalled(f"HEIC needs pillow-heif. Run: {sys.executable} -m pip install pillow-heif") from None
    try:
        return open_heif(data, convert_hdr_to_8bit=False, bgr_mode=True, hdr_to_16bit=False)
    except _ERRORS:
        raise Unreadable("it is a broken HEIC") from None


def _bits(image: HeifFile) -> int:
    return int(image.mode.partition(";")[2] or 8)


def _divide_by_alpha(bgra: NDArray[Any], most: int) -> NDArray[Any]:
    """Return straight colors of those that were multiplied by their alpha."""
    alpha = bgra[..., 3:].astype(np.uint32)
    straight = bgra.copy()
    straight[..., :3] = ((bgra[..., :3] * np.uint32(most) + alpha // 2) // alpha.clip(1)).clip(0, most)
    return straight
