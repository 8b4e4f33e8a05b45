"""Backdrops: what viewers see instead of the room. `make_backdrop` chooses; a new kind is a file and a case here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from torch import Tensor

from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Upload

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".m4v")

# For av.open: a playlist that is called a video would have it open the files that it names.
ONLY_VIDEOS = {"format_whitelist": "mov,matroska,webm,avi,gif"}

_KINDS = "an image or video file, color:#rrggbb, blur[:sigma], or plate"


class Backdrop(Protocol):
    """Gives the picture behind the person. Made anywhere, then asked by the worker thread alone (law 3).

    spec: the SPEC it was made from.
    """

    spec: str

    def picture(self, t: float, plate: Tensor, upload: Upload) -> Tensor:
        """The picture for time `t` (seconds): (1,3,H,W), 0..1, RGB, dtype and device of `plate`; must not be changed.

        plate: the clean room, (1,3,H,W), the same tensor until a new plate is taken. Never blocks, never fails.
        """

    def close(self) -> None:
        """Stop what runs behind it. Any thread; `picture` goes on to give the last one, which may be fading out."""


def make_backdrop(spec: str, size: Size) -> Backdrop:
    """Read and check everything that `spec` needs, for pictures of `size`. Raises ConfigError."""
    match check_backdrop(spec):
        case tuple(rgb):
            from camdaemon.backdrop.color import ColourBackdrop

            return ColourBackdrop(spec, rgb, size)
        case float(sigma):
            from camdaemon.backdrop.room import BlurBackdrop

            return BlurBackdrop(spec, sigma)
        case Path() as path if path.suffix.lower() in VIDEOS:
            from camdaemon.backdrop.video import VideoBackdrop

            return VideoBackdrop(spec, path, size)
        case Path() as path:
            from camdaemon.backdrop.still import StillBackdrop

            return StillBackdrop(spec, path, size)
        case None:
            from camdaemon.backdrop.room import PlateBackdrop

            return PlateBackdrop()


def check_backdrop(spec: str) -> tuple[int, int, int] | float | Path | None:
    """What `spec` means: a colour, the sigma of a blur, a file that exists, or None for the plate. ConfigError else."""
    kind, _, value = spec.partition(":")
    match kind:
        case "color" | "colour":
            return _colour(value)
        case "blur":
            return _sigma(value) if value else 24.0
        case "plate" if not value:
            return None
    try:
        path = Path(spec).expanduser()
        found = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a name too long, a folder of somebody else, ~nobody, a zero byte
        found = False
    if not found:
        raise ConfigError(f"backdrop {spec!r} is no file and no SPEC; try --backdrop blur ({_KINDS})")
    return path


def _colour(text: str) -> tuple[int, int, int]:
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", text):
        raise ConfigError(f"colour {text!r} is not #rrggbb; try --backdrop 'color:#00ff00'")
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def _sigma(text: str) -> float:
    try:
        sigma = float(text)
    except ValueError:
        sigma = 0.0
    if not 1 <= sigma <= 200:
        raise ConfigError(f"blur {text!r} is not a sigma from 1 to 200 pixels; try --backdrop blur:24")
    return sigma
