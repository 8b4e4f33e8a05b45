"""Backdrops: what viewers see instead of the room. `camdaemon.frames.kinds` lists them; each is one file here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from camdaemon.frames import kinds

if TYPE_CHECKING:
    from camdaemon.frames.frame import Size
    from camdaemon.frames.picture import Upload
    from camdaemon.frames.pixels import Array


class Backdrop(Protocol):
    """Gives the picture behind the person. Made in any thread, then used by the worker alone.

    Attributes:
        spec: The text it was made from.
        needs_plate: Whether it is of no use before the room was photographed.
    """

    spec: str
    needs_plate: bool

    def picture(self, t: float, plate: Array, upload: Upload) -> Array:
        """Return the picture for one frame. Never blocks and never fails.

        Args:
            t: Time of the frame, seconds.
            plate: The clean room, (1,3,H,W), RGB; the same array until a new plate is taken. What nobody has
                photographed is filled in, and never with what the camera sees now.
            upload: Brings a picture, uint8 (H,W,3), to the device of `plate`.

        Returns:
            (1,3,H,W), RGB, with the dtype and on the device of `plate`. The caller must not change it.
        """

    def close(self) -> None:
        """Stop its threads. Any thread may call it; `picture` keeps returning the last one, which may be fading out."""


class BackdropClass(Protocol):
    """The class of a kind of backdrop."""

    def check(self, spec: str) -> None:
        """Raise ConfigError if `spec` is wrong. Decodes nothing."""

    def open(self, spec: str, size: Size) -> Backdrop:
        """Make the backdrop; see `make_backdrop`."""


def find_backdrop(spec: str) -> BackdropClass:
    """Return the class of the backdrop that `spec` names.

    Raises:
        ConfigError: `spec` names no kind of backdrop, or a file that does not exist.
    """
    found: BackdropClass = kinds.find_class(kinds.BACKDROPS, spec, "backdrop", "camdaemon run --backdrop blur")
    return found


def make_backdrop(spec: str, size: Size, *, paced: bool = True, deep: bool = False) -> Backdrop:
    """Make the backdrop that `spec` names, for pictures of `size`; everything it needs is read and checked.

    Args:
        spec: One of `kinds.BACKDROPS`.
        size: Of its pictures.
        paced: Whether a video runs in real time, or by the times of the frames that it is for.
        deep: Whether a picture's file of more than 8 bits stays so: `upload` is then given uint16 (H,W,3) of it.

    Raises:
        ConfigError: `spec` names no kind of backdrop, or a file that cannot be read.
    """
    from camdaemon.backdrop.still import StillBackdrop
    from camdaemon.backdrop.video import ClipBackdrop, VideoBackdrop

    kind = find_backdrop(spec)
    if kind is StillBackdrop and deep:
        return StillBackdrop.open(spec, size, deep=True)
    return ClipBackdrop(spec, size) if kind is VideoBackdrop and not paced else kind.open(spec, size)


def check_backdrop(spec: str) -> None:
    """Check that `spec` names a backdrop, without decoding a file.

    Raises:
        ConfigError: `spec` names no kind of backdrop, or a file that does not exist.
    """
    find_backdrop(spec).check(spec)
