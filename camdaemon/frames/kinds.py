"""The kinds of source, matting, backdrop and sink: how each is written, and the class behind it.

The tables are plain data of the standard library, so that the command line, the configuration and the control surfaces
can name every kind without loading any. A new kind is one row here and one file in its package: see docs/adding.md.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any, NamedTuple

READY = ("evening", "hills", "library", "studio", "window")  # the backdrops that come with camdaemon
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".m4v")  # suffixes of videos that can be a backdrop
PLATES = ("saved", "auto", "none")  # what is no file: see `Config.plate`
WEIGHTS = ("default", "published", "slim")  # the weights that come with camdaemon, by name

DEFAULT_BLUR = 24.0  # sigma in pixels of the backdrop that is called just "blur"


class Kind(NamedTuple):
    """One kind of source, matting, backdrop or sink.

    Attributes:
        syntax: How the kind is written, for help, error messages and the configuration.
        is_named_by: Whether a spec names this kind. Opens nothing.
        target: The class behind it, "module:class". Its module is loaded when the kind is first used.
        is_path: Whether the spec is the path of a file of the user's.
    """

    syntax: str
    is_named_by: Callable[[str], bool]
    target: str
    is_path: bool = False

    def load(self) -> Any:
        """Import the class; its own package says which protocol that class follows."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)


def _is(*words: str) -> Callable[[str], bool]:
    return lambda spec: spec in words


def _starts_with(*words: str) -> Callable[[str], bool]:
    return lambda spec: spec.partition(":")[0] in words


def _has_suffix(*suffixes: str) -> Callable[[str], bool]:
    return lambda spec: spec.lower().endswith(suffixes)


def _is_device(spec: str) -> bool:
    from camdaemon.linux.devices import is_device_path

    return is_device_path(spec)


def _is_file(spec: str) -> bool:
    try:
        return os.path.isfile(os.path.expanduser(spec))
    except ValueError:  # a zero byte
        return False


def _is_video(spec: str) -> bool:
    return _has_suffix(*VIDEOS)(spec) and _is_file(spec)


# In each table the first kind that a spec names is taken.
SOURCES: tuple[Kind, ...] = (
    Kind("/dev/videoN", _is_device, "camdaemon.capture.v4l2:V4l2Source"),
    Kind("pipewire[:name]", _starts_with("pipewire"), "camdaemon.capture.pipewire:PipeWireSource"),
    Kind("pattern", _is("pattern"), "camdaemon.capture.pattern:PatternSource"),
    Kind("video file", _is_file, "camdaemon.capture.file:FileSource", is_path=True),
)
MATTINGS: tuple[Kind, ...] = (
    Kind("bgmv2", _is("bgmv2"), "camdaemon.matting.bgmv2.matting:BackgroundMatting"),
    Kind("difference", _is("difference"), "camdaemon.matting.difference:DifferenceMatting"),
)
BACKDROPS: tuple[Kind, ...] = (
    Kind("color:#rrggbb", _starts_with("color", "colour"), "camdaemon.backdrop.color:ColorBackdrop"),
    Kind("blur[:sigma in pixels]", _starts_with("blur"), "camdaemon.backdrop.room:BlurBackdrop"),
    Kind("plate", _is("plate", "plate:"), "camdaemon.backdrop.room:PlateBackdrop"),
    Kind(", ".join(READY), _is(*READY), "camdaemon.backdrop.still:ReadyBackdrop"),
    Kind("video file", _is_video, "camdaemon.backdrop.video:VideoBackdrop", is_path=True),
    Kind("image file", _is_file, "camdaemon.backdrop.still:StillBackdrop", is_path=True),
)
SINKS: tuple[Kind, ...] = (
    Kind("/dev/videoN (v4l2loopback)", _is_device, "camdaemon.output.loopback:LoopbackSink"),
    Kind("pipewire[:name]", _starts_with("pipewire"), "camdaemon.output.pipewire:PipeWireSink"),
    Kind(
        ".mp4, .mkv or .mov file", _has_suffix(".mp4", ".mkv", ".mov"), "camdaemon.output.file:FileSink", is_path=True
    ),
    Kind("preview", _is("preview"), "camdaemon.output.window:PreviewSink"),
    Kind("null", _is("null"), "camdaemon.output.null:NullSink"),
)


def room_blur(spec: str) -> float | None:
    """Return how much the backdrop `spec` blurs the room, sigma in pixels, 0 for not at all; None if it is no room."""
    kind, _, sigma = spec.partition(":")
    if kind not in ("plate", "blur"):
        return None
    try:
        return 0.0 if kind == "plate" else float(sigma or DEFAULT_BLUR)
    except ValueError:
        return 0.0


def syntax_of(kinds: tuple[Kind, ...]) -> str:
    """List how the kinds are written, for one sentence: "a, b, or c"."""
    *others, last = (kind.syntax for kind in kinds)
    return f"{', '.join(others)}{',' if len(others) > 1 else ''} or {last}" if others else last


def find_kind(kinds: tuple[Kind, ...], spec: str) -> Kind | None:
    """Return the first kind of the table `kinds` that `spec` names, if any."""
    return next((kind for kind in kinds if kind.is_named_by(spec)), None)


def make_absolute(kinds: tuple[Kind, ...], spec: str) -> str:
    """Return `spec` as it means the same in every folder and for every user: a file by its absolute path."""
    kind = find_kind(kinds, spec)
    return os.path.abspath(os.path.expanduser(spec)) if kind is not None and kind.is_path else spec


def find_class(kinds: tuple[Kind, ...], spec: str, what: str, command: str) -> Any:
    """Load the class of the first kind that `spec` names.

    Args:
        kinds: One of the tables above.
        spec: What the user wrote.
        what: What it should have named, for the error message: "source", "sink".
        command: What to type when it names no kind, for the error message.

    Raises:
        ConfigError: `spec` names none of the kinds.
    """
    if kind := find_kind(kinds, spec):
        return kind.load()
    from camdaemon.errors import ConfigError

    raise ConfigError(f"no such {what} {spec!r}: expected {syntax_of(kinds)}. Run: {command}")
