"""A plate that follows the camera through a video, for `--align`: found again in each frame from the one before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.composite import Matte
from camdaemon.frames.decoder import to_bytes
from camdaemon.frames.picture import DeepPicture, Picture, copy_to_host
from camdaemon.plate.align import PlateAligner
from camdaemon.plate.parts import Plate


class PlateFollower:
    """Brings plates to where the camera looks. Used by one thread.

    Args:
        matte_alone: Mattes a picture without a plate: where no frame came before, one that lies elsewhere would take
            the room for the person.
    """

    def __init__(self, matte_alone: Callable[[DeepPicture], Matte]) -> None:
        self._matte_alone = matte_alone
        self._aligner: tuple[Plate, PlateAligner] | None = None

    @property
    def aligned(self) -> Plate | None:
        """The plate as it was for the last frame; None before the first."""
        return None if self._aligner is None else self._aligner[1].aligned

    def follow(self, rgb: DeepPicture, plate: Plate, before: Picture | None) -> Plate:
        """Return the plate as the camera sees it in a picture.

        Args:
            rgb: (H,W,3).
            plate: As it was taken.
            before: Alpha of the frame before, uint8 (H,W).

        Raises:
            MattingError: The picture cannot be matted without a plate.
        """
        if self._aligner is None or self._aligner[0] is not plate:
            self._aligner = plate, PlateAligner(plate)
        alpha = copy_to_host(self._matte_alone(rgb).alpha) if before is None else before
        return self._aligner[1].align(to_bytes(rgb), alpha)

    def forget(self) -> None:
        """Forget the video."""
        self._aligner = None

    def save_state(self) -> dict[str, NDArray[Any]]:
        """Return where the camera looked last, for `load_state`."""
        if self._aligner is None:
            return {}
        movement, is_lost = self._aligner[1].save_state()
        return {"movement": movement, "lost": np.array(is_lost)}

    def load_state(self, plate: Plate, state: dict[str, NDArray[Any]]) -> Plate:
        """Go on with `plate`, and return it as it was for the last frame; what belongs here leaves `state`."""
        self._aligner = None
        if "movement" not in state:
            return plate
        self._aligner = plate, PlateAligner(plate)
        self._aligner[1].load_state(state.pop("movement"), is_lost=bool(state.pop("lost")))
        return self._aligner[1].aligned
