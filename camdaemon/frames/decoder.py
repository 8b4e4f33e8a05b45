"""Pictures' files as arrays: upright, in the full range of their type. OpenCV decodes: it lets other threads run."""

from __future__ import annotations

import io
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from camdaemon.frames import hdr
from camdaemon.frames.door import Unreadable
from camdaemon.frames.header import Header
from camdaemon.frames.heic import decode_heic

Codes: TypeAlias = NDArray[np.uint8 | np.uint16]
_BROKEN = "its head is right, its picture is broken"


def decode_colors(data: bytes, header: Header, *, deep: bool) -> Codes:
    """Return RGB (H,W,3) without transparency: uint16 where `deep` and the file holds more than 8 bits, else uint8.

    Raises:
        Unreadable: The picture is broken, as in all of these functions.
    """
    scaled = header.fmt == "PPM" and 255 < header.most < 65535  # of such codes OpenCV would take the upper byte
    bgr = _decode(data, header, cv2.IMREAD_COLOR | (cv2.IMREAD_ANYDEPTH if deep or scaled else 0))
    rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), bgr.dtype)
    return rgb if deep else to_bytes(rgb)


def decode_alpha(data: bytes, header: Header, *, deep: bool) -> Codes:
    """Return RGBA (H,W,4), in depth as `decode_colors`."""
    bgra = _decode(data, header, cv2.IMREAD_UNCHANGED)
    if bgra.ndim < 3 or bgra.shape[2] < 4:  # a gray with one level that is transparent
        try:
            with Image.open(io.BytesIO(data)) as image:
                return header.turn.apply(np.asarray(image.convert("RGBA")))
        except (OSError, ValueError, SyntaxError):
            raise Unreadable(_BROKEN) from None
    if bgra.dtype == np.uint16 and not deep:
        bgra = np.asarray(bgra >> 8, np.uint8)
    return np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA), bgra.dtype)


def decode_hdr(data: bytes, header: Header, *, deep: bool) -> Codes:
    """Return RGB (H,W,3) of an HDR picture, mapped to SDR, in depth as `decode_colors`."""
    pixels = _decode(data, header, cv2.IMREAD_UNCHANGED)
    if pixels.ndim < 3:
        pixels = pixels[..., None].repeat(3, 2)
    coded = np.ascontiguousarray(pixels[..., 2::-1]).astype(np.uint16)
    if pixels.dtype == np.uint8:
        return hdr.map_to_sdr(coded * np.uint16(257), header.transfer)
    return hdr.map_to_sdr_deep(coded, header.transfer) if deep else hdr.map_to_sdr(coded, header.transfer)


def decode_gray(data: bytes, header: Header) -> Codes:
    """Return gray (H,W) in the file's own depth."""
    return _decode(data, header, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)


def to_bytes(rgb: Codes) -> NDArray[np.uint8]:
    """Return codes in 8 bits, rounded; themselves if they are."""
    if rgb.dtype == np.uint8:
        return np.asarray(rgb, np.uint8)
    return np.asarray((rgb.astype(np.uint32) * 255 + 32767) // 65535, np.uint8)


def to_depth(codes: Codes, *, deep: bool) -> Codes:
    """Return codes in 16 bits if `deep`, else in 8, rounded; themselves if they are."""
    if not deep:
        return to_bytes(codes)
    return codes if codes.dtype == np.uint16 else np.asarray(codes, np.uint16) * np.uint16(257)


def try_to_decode(data: bytes, header: Header) -> None:
    """Decode a picture, at an eighth of its size where its format allows, and forget it."""
    _run_decoder(data, header, cv2.IMREAD_REDUCED_COLOR_8)


def _decode(data: bytes, header: Header, flags: int) -> Codes:
    found = _run_decoder(data, header, flags)
    if found.dtype not in (np.uint8, np.uint16):
        raise Unreadable("its colors are no integers of 8 or 16 bits")
    was_turned = header.fmt == "TIFF" or (header.fmt != "AVIF" and flags != cv2.IMREAD_UNCHANGED)
    found = found if was_turned else header.turn.apply(found)
    top = int(np.iinfo(found.dtype).max)
    if not 0 < header.most < top:
        return found
    return (np.arange(header.most + 1) * (top / header.most)).round().astype(found.dtype).take(found, mode="clip")


def _run_decoder(data: bytes, header: Header, flags: int) -> NDArray[Any]:
    if header.fmt == "HEIC":
        return decode_heic(data, flags)
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError):
        found = None
    if found is None:
        raise Unreadable(_BROKEN)
    return found
