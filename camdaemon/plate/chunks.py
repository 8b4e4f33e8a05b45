"""The file of a plate: a PNG of what was shot, and in chunks of our own what camdaemon knows beside the picture.

Any program shows the photograph, and an earlier camdaemon reads it. The chunks are ancillary and private, so both skip
them (PNG specification, section 5.4):

    caMD  JSON: the camera's controls, and how the camera has moved since the plate was shot
    caCO  PNG, gray: the confidence of the blocks, 0 or 255          caPI  the same of pictures on the wall
    caGR  PNG: what was learned                                      caOR  PNG, gray: the origin of its blocks
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.picture import Picture
from camdaemon.plate.parts import Growth, Plate

Controls = dict[str, int]  # the camera's, by name

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_META, _CONFIDENCE, _PICTURES, _GROWTH, _ORIGIN = b"caMD", b"caCO", b"caPI", b"caGR", b"caOR"
_OURS = (_META, _CONFIDENCE, _PICTURES, _GROWTH, _ORIGIN)


def pack(plate: Plate, controls: Mapping[str, int]) -> bytes:
    """Return the file of `plate`, taken with `controls` of the camera."""
    chunks: dict[bytes, bytes] = {}
    meta: dict[str, Any] = {"controls": dict(controls)}
    if plate.confidence is not None:
        chunks[_CONFIDENCE] = _encode(np.asarray(np.rint(255 * plate.confidence), np.uint8))
    if plate.pictures is not None:
        chunks[_PICTURES] = _encode(np.asarray(255 * plate.pictures, np.uint8))
    if plate.growth is not None:
        meta["movement"] = plate.growth.movement.tolist()
        chunks[_GROWTH] = _encode(np.asarray(cv2.cvtColor(plate.growth.rgb, cv2.COLOR_RGB2BGR), np.uint8))
        chunks[_ORIGIN] = _encode(plate.growth.origin)
    chunks[_META] = json.dumps(meta).encode()
    png = _encode(np.asarray(cv2.cvtColor(plate.rgb, cv2.COLOR_RGB2BGR), np.uint8))
    end = png.rindex(b"IEND") - 4
    return png[:end] + b"".join(_chunk(kind, content) for kind, content in chunks.items()) + png[end:]


def unpack(png: bytes, rgb: Picture) -> tuple[Plate, Controls]:
    """Return the plate of a file that is whole (see `find_damage`) and shows `rgb`, and the camera's controls.

    Raises:
        ValueError: A chunk of ours says what it cannot say.
    """
    chunks = dict(_list_chunks(png))
    meta = json.loads(chunks.get(_META, b"{}"))
    confidence = _decode(chunks.get(_CONFIDENCE))
    pictures, growth = _decode(chunks.get(_PICTURES)), None
    if _GROWTH in chunks and _ORIGIN in chunks:
        learned, origin = _decode(chunks[_GROWTH], cv2.IMREAD_COLOR), _decode(chunks[_ORIGIN])
        movement = np.array(meta["movement"], np.float64)
        if learned is None or origin is None or learned.shape != rgb.shape or movement.shape != (3, 3):
            raise ValueError("what was learned does not fit the picture")
        growth = Growth(np.asarray(cv2.cvtColor(learned, cv2.COLOR_BGR2RGB), np.uint8), origin, movement)
    known = None if confidence is None else (confidence / np.float32(255)).astype(np.float32)
    plate = Plate(rgb, known, None, None if pictures is None else pictures > 127, growth)
    return plate, unpack_controls(png)


def unpack_controls(png: bytes) -> Controls:
    """Return the camera's controls in the file of a plate; empty if there are none, or it is none of ours.

    Raises:
        ValueError: What is there is not readable.
    """
    if png[:8] != _SIGNATURE:
        return {}
    controls = json.loads(dict(_list_chunks(png)).get(_META, b"{}")).get("controls", {})
    return {str(name): value for name, value in controls.items() if isinstance(value, int)}


def find_damage(png: bytes, size: tuple[int, int]) -> str:
    """Return what is wrong with a PNG that should be of `size` (width, height); '' if it is whole.

    A decoder may fill what is missing with black, and the matte would call all of that the person.
    """
    if png[:8] != _SIGNATURE or png[12:16] != b"IHDR" or len(png) < 24:
        return "it is not a PNG"
    width, height = struct.unpack_from(">II", png, 16)
    if (width, height) != size:
        return f"it is {width}x{height}, not {size[0]}x{size[1]}"
    at, kind = 8, b""
    while kind != b"IEND":
        if at + 12 > len(png):
            return "it is cut off"
        length, kind = struct.unpack_from(">I4s", png, at)
        end = at + 8 + length  # of the chunk's content; a checksum follows, see the PNG specification, section 5.3
        if end + 4 > len(png):
            return "it is cut off"
        if zlib.crc32(png[at + 4 : end]) != int.from_bytes(png[end : end + 4]):
            return "it is damaged"
        at = end + 4
    return ""


def _list_chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return the chunks of ours, kind and content."""
    at, found = 8, []
    while at + 12 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        if kind in _OURS:
            found.append((kind, png[at + 8 : at + 8 + length]))
        at += length + 12
    return found


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def _decode(png: bytes | None, flags: int = cv2.IMREAD_GRAYSCALE) -> NDArray[np.uint8] | None:
    """Return the pixels of a PNG, None for none. Raises ValueError if it is no picture."""
    if png is None:
        return None
    found = cv2.imdecode(np.frombuffer(png, np.uint8), flags)
    if found is None:
        raise ValueError("a part of it is no picture")
    return np.asarray(found, np.uint8)
