"""How a picture's file codes its colors: by which curve, and up to which number."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from camdaemon.frames import hdr

_HEAD_BYTES = 65_536  # of an AVIF, where what describes the picture stands, before its pixels
_LARGEST_OF_PPM = re.compile(rb"P[2356](?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+(\d{1,5})")
_SIZE_OF_JPEG2000 = b"\xff\x4f\xff\x51"


class Coding(NamedTuple):
    """How colors are coded.

    Attributes:
        transfer: One of `hdr`'s transfer characteristics; 0: none of HDR.
        most: The largest code, where the decoder gives the codes as they are; 0: it fills the range of its type.
    """

    transfer: int = 0
    most: int = 0


def find_coding(data: bytes, fmt: str, chunks: dict[bytes, bytes]) -> Coding:
    """Find out how a picture is coded.

    Args:
        data: The whole file.
        fmt: Its format, as Pillow calls it.
        chunks: A PNG's cICP and iCCP.
    """
    if fmt == "PNG":
        if chunks.get(b"iCCP", b"").startswith(b"ITUR_2100_PQ_FULL\0"):  # before PNG had cICP
            return Coding(hdr.PQ)
        return Coding(_if_hdr(chunks.get(b"cICP", bytes(4))[1]))
    if fmt == "AVIF":
        return _coding_of_avif(data[:_HEAD_BYTES])
    if fmt == "PPM" and (found := _LARGEST_OF_PPM.match(data)):
        return Coding(most=int(found[1]))
    if fmt == "JPEG2000" and 0 <= (at := data.find(_SIZE_OF_JPEG2000)) < len(data) - 42:
        return Coding(most=(2 << (data[at + 42] & 0x7F)) - 1)
    return Coding()


def _coding_of_avif(head: bytes) -> Coding:
    colors = re.search(rb"colrnclx..(..)", head, re.DOTALL)
    config = re.search(rb"av1C\x81.(.)", head, re.DOTALL)
    deep = config[1][0] if config else 0x40
    most = 4095 if deep & 0x20 else 1023 if deep & 0x40 else 255
    return Coding(_if_hdr(struct.unpack(">H", colors[1])[0]) if colors else 0, most)


def _if_hdr(transfer: int) -> int:
    return transfer if hdr.is_hdr(transfer) else 0
