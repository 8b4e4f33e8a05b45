"""Frames of a video that the matting begins before their turn, beside the present one: on a CPU that saves time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from camdaemon.frames.picture import DeepPicture
from camdaemon.frames.pixels import Array
from camdaemon.matting import Matting
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from camdaemon.tools.files.uploader import upload_confidence

# Returns a frame after the present one, the next for 0: the very array that will be given in its turn. None: there is
# none.
Peek: TypeAlias = Callable[[int], DeepPicture | None]


class FramesAhead:
    """What was begun. Used by one thread.

    Args:
        matting: Begins with frames; nothing else asks it for that.
        upload: Uploads them for it.
        most: How many frames after the present one.
    """

    def __init__(self, matting: Matting, upload: Callable[[DeepPicture], Array], most: int) -> None:
        self._matting, self._upload, self._most = matting, upload, most
        self._begun: list[tuple[DeepPicture, Array]] = []  # frames after the present one, and as they were uploaded
        self._has_present = False

    def take(self, rgb: DeepPicture) -> Array:
        """Return the frame whose turn it is as it was uploaded, or upload it now."""
        self._has_present = bool(self._begun) and self._begun[0][0] is rgb
        if self._has_present:
            return self._begun.pop(0)[1]
        self._begun = []
        return self._upload(rgb)

    def begin(
        self, present: tuple[Array, Array, Array | None], plate: Plate, matcher: PlateMatcher, peek: Peek
    ) -> None:
        """Begin with the present frame, unless that was done, and with those that come next.

        Args:
            present: What the matting is going to be called with: picture, plate and confidence.
            plate: All of them are matted by it.
            matcher: Has matched it to the present one.
            peek: Where they are.
        """
        if self._most and not self._has_present:
            self._matting.prepare(*present)
        for place in range(len(self._begun), self._most):
            if (rgb := peek(place)) is None:
                return
            src = self._upload(rgb)
            self._begun.append((rgb, src))
            self._matting.prepare(src, matcher.expect(plate, src), upload_confidence(plate, src))

    def forget(self) -> None:
        """Forget what was begun: another video comes."""
        self._begun = []
