"""A bar chart of the stops as a PNG: camdaemon and the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from camdaemon.frames.picture import Picture
from camdaemon.tools.files.writers import write_png

_WIDTH, _LEFT, _RIGHT, _ROW, _BAR, _TOP = 1000, 150, 190, 56, 20, 96
_CAMDAEMON, _BASELINE, _INK, _PAPER = (31, 111, 139), (214, 178, 120), (34, 34, 34), (255, 255, 255)


def write_plot(path: Path, found: dict[str, Any]) -> None:
    """Write the chart into `path`. Raises ConfigError if it cannot be written."""
    write_png(path, draw_plot(found))


def draw_plot(found: dict[str, Any]) -> Picture:
    """Draw the medians of what `measure` found: each stop in a frame's order, then the whole frame.

    Returns:
        The picture, (H,W,3) uint8 RGB.
    """
    part = found["parts"]["stops"]
    daemon, baseline = part["camdaemon"]["ms"], part["baseline"]["ms"]
    longest = max(ms["p50"] for side in (daemon, baseline) for ms in side.values()) or 1.0
    image = Image.new("RGB", (_WIDTH, _TOP + _ROW * len(daemon) + 20), _PAPER)
    draw = ImageDraw.Draw(image)
    measured, on = found["subject"], found["machine"]
    draw.text((20, 16), f"Milliseconds per frame, {measured['size']}, {on['gpu'] or on['cpu']}", _INK, _font(24))
    for x, color, text in ((20, _CAMDAEMON, "camdaemon"), (180, _BASELINE, "baseline, same run")):
        draw.rectangle((x, 58, x + 16, 74), color)
        draw.text((x + 24, 56), text, _INK, _font(16))
    for number, (stop, ms) in enumerate(daemon.items()):
        top = _TOP + number * _ROW
        draw.text((_LEFT - 12, top + _BAR), stop, _INK, _font(18), anchor="rm")
        ratio = f"   {part['ratio'][stop]:.2f}x" if stop in part["ratio"] else ""
        _bar(draw, top, ms["p50"], longest, _CAMDAEMON, ratio)
        if stop in baseline:
            _bar(draw, top + _BAR, baseline[stop]["p50"], longest, _BASELINE, "")
    return np.asarray(image, np.uint8)


def _bar(
    draw: ImageDraw.ImageDraw, top: int, ms: float, longest: float, color: tuple[int, int, int], more: str
) -> None:
    length = round((_WIDTH - _LEFT - _RIGHT) * ms / longest)
    draw.rectangle((_LEFT, top, _LEFT + max(1, length), top + _BAR - 2), color)
    draw.text((_LEFT + length + 8, top + _BAR // 2), f"{ms:.2f}{more}", _INK, _font(15), anchor="lm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # Pillow's own, which needs no file and has no ×
