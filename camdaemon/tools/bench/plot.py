"""Two bars for each stop, the real formulation's and the plain one's, as a PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from camdaemon.frames.picture import Picture
from camdaemon.tools.files.writers import write_png

_WIDTH, _LEFT, _RIGHT, _ROW, _BAR, _TOP = 1000, 150, 190, 56, 20, 96
_REAL, _PLAIN, _INK, _PAPER = (31, 111, 139), (214, 178, 120), (34, 34, 34), (255, 255, 255)


def write_plot(path: Path, found: dict[str, Any]) -> None:
    """Draw what `run.measure` gave, medians in ms, into `path`. Raises ConfigError where it cannot be written."""
    write_png(path, drawn(found))


def drawn(found: dict[str, Any]) -> Picture:
    """The picture, uint8 (H,W,3) RGB: the stops in a frame's order, then the whole frame."""
    part = found["parts"]["stops"]
    real, plain = part["real"]["ms"], part["plain"]["ms"]
    longest = max(ms["p50"] for side in (real, plain) for ms in side.values()) or 1.0
    image = Image.new("RGB", (_WIDTH, _TOP + _ROW * len(real) + 20), _PAPER)
    draw = ImageDraw.Draw(image)
    said, on = found["subject"], found["machine"]
    draw.text((20, 16), f"Milliseconds a frame, {said['size']}, {on['gpu'] or on['cpu']}", _INK, _font(24))
    for x, colour, text in ((20, _REAL, "camdaemon"), (180, _PLAIN, "plain formulation, same run")):
        draw.rectangle((x, 58, x + 16, 74), colour)
        draw.text((x + 24, 56), text, _INK, _font(16))
    for number, (stop, ms) in enumerate(real.items()):
        top = _TOP + number * _ROW
        draw.text((_LEFT - 12, top + _BAR), stop, _INK, _font(18), anchor="rm")
        ratio = f"   {part['ratio'][stop]:.2f}x" if stop in part["ratio"] else ""
        _bar(draw, top, ms["p50"], longest, _REAL, ratio)
        if stop in plain:
            _bar(draw, top + _BAR, plain[stop]["p50"], longest, _PLAIN, "")
    return np.asarray(image, np.uint8)


def _bar(
    draw: ImageDraw.ImageDraw, top: int, ms: float, longest: float, colour: tuple[int, int, int], more: str
) -> None:
    length = round((_WIDTH - _LEFT - _RIGHT) * ms / longest)
    draw.rectangle((_LEFT, top, _LEFT + max(1, length), top + _BAR - 2), colour)
    draw.text((_LEFT + length + 8, top + _BAR // 2), f"{ms:.2f}{more}", _INK, _font(15), anchor="lm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # Pillow's own: no file is needed, and there is no × in it
