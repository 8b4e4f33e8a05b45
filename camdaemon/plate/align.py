"""Bringing the plate of hand-held footage, or of a picture taken from nearby, to each frame: `--align` of files."""

from __future__ import annotations

import cv2
import numpy as np

from camdaemon.frames.picture import Picture
from camdaemon.plate.living import LivingPlate
from camdaemon.plate.parts import Mask, Plate
from camdaemon.plate.pose import STILL, Matrix, View, find_movement, measure_distance, measure_fit, scale_movement
from camdaemon.plate.survey import choose_side

_LINES = 180  # of the small copies that are compared
_NEAR = 9  # pixels of those beside the person that are left out
_FITS = 0.5  # correlation of frame and plate below which the plate explains nothing


class PlateAligner:
    """Has a plate follow the camera from frame to frame. For one thread.

    Each search begins where the camera looked in the frame before, which may be far from where the plate was taken.

    Args:
        plate: As it was taken.

    Attributes:
        aligned: The plate as the camera saw it in the last frame; of confidence 0 where it explains nothing.
    """

    def __init__(self, plate: Plate) -> None:
        self._plate = plate
        height, width = plate.rgb.shape[:2]
        self._size = round(_LINES * width / height), _LINES
        self._factor: float = height / _LINES
        self._then = View(self._shrink(plate.rgb), plate.known(self._size[::-1]))
        self._movement: Matrix = STILL  # in pixels of the small copies
        self.aligned, self._is_lost = plate, False

    def align(self, rgb: Picture, alpha: Picture) -> Plate:
        """Return the plate as the camera sees it in a frame; its own confidence says what of it is known there.

        Args:
            rgb: uint8 (H,W,3), of the plate's size.
            alpha: uint8 (H,W): of the frame, or of the one before; only where nobody is, is compared.
        """
        now = View(self._shrink(rgb), self._find_room(alpha))
        found = find_movement(now, self._then, self._movement)
        candidates = [STILL, self._movement] if found is None else [found]
        best = max(candidates, key=lambda movement: measure_fit(now, self._then, movement))
        if measure_fit(now, self._then, best) < _FITS:
            self._lose()
            return self.aligned
        if best is not self._movement or self._is_lost:
            self._move(best)
        return self.aligned

    def _move(self, movement: Matrix) -> None:
        self._is_lost = False
        self._movement = movement
        height, width = self._plate.rgb.shape[:2]
        living = LivingPlate(self._plate, (height, width), choose_side(height, width))
        if movement is not STILL:
            living.move(scale_movement(movement, self._factor))
        self.aligned = living.current

    def save_state(self) -> tuple[Matrix, bool]:
        """Return where the camera looked last, and whether it is lost, for `load_state` of another aligner."""
        return self._movement, self._is_lost

    def load_state(self, movement: Matrix, *, is_lost: bool) -> None:
        """Go on with the same plate as the aligner that `save_state` was called of would."""
        self._move(STILL if np.array_equal(movement, STILL) else movement)
        if is_lost:
            self._lose()

    def _lose(self) -> None:
        self.aligned = Plate(self._plate.rgb, np.zeros((1, 1), np.float32))
        self._is_lost = True

    @property
    def moved(self) -> float:
        """How far the camera has moved since the plate was taken, in pixels of the middle of the picture."""
        return self._factor * measure_distance(self._movement, self._size[::-1])

    def _shrink(self, rgb: Picture) -> Picture:
        return np.asarray(cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA), np.uint8)

    def _find_room(self, alpha: Picture) -> Mask:
        small = cv2.resize(alpha, self._size, interpolation=cv2.INTER_AREA)
        near = cv2.dilate((small > 5).astype(np.uint8), np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8))
        return np.asarray(near == 0)
