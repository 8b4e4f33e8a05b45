"""The plate in use, as it has become: moved with the camera, and with what was learned since it was taken."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.picture import Picture
from camdaemon.plate.parts import Growth, Mask, Origin, Plate, spread
from camdaemon.plate.pose import STILL, Matrix, measure_distance, warp, warp_blocks

_GRAY = 128


class LivingPlate:
    """A shot plate and what was learned since. Single owner: the worker thread.

    Every change makes another `current`, so that what depends on one may be kept for as long as it is the same object.

    Args:
        shot: As it was photographed; None to begin with nothing.
        size: Height and width of the pictures.
        side: Of a block, in pixels.

    Attributes:
        shot: As given; None if nothing of it was.
        current: The plate as the camera sees it now.
        shown: The shot plate as the camera sees it now, for backdrops: what was learned is no picture for viewers.
        movement: From the shot plate's pixels to those of the present picture.
        size: As given.
    """

    def __init__(self, shot: Plate | None, size: tuple[int, int], side: int) -> None:
        self.shot = None if shot is None or shot.is_blank else shot
        growth = None if shot is None else shot.growth
        self.size, self._side = size, side
        self._shape = size[0] // side, size[1] // side
        self.movement = STILL
        self._learned = np.full((*size, 3), _GRAY, np.uint8)
        self._origin = np.zeros(self._shape, np.uint8)
        if growth is not None and growth.origin.shape == self._shape:
            self._learned, self._origin = growth.rgb, growth.origin
            self.movement = STILL if np.array_equal(growth.movement, STILL) else growth.movement
        self._refresh()

    @property
    def growth(self) -> Growth | None:
        """What was learned; None if nothing was. A value, for any thread."""
        if not self._origin.any():
            return None
        return Growth(self._learned, self._origin, self.movement)

    @property
    def distance(self) -> float:
        """How far the camera has moved since the plate was shot, in pixels of the middle of the picture."""
        return measure_distance(self.movement, self.size)

    @property
    def known(self) -> Mask:
        """Which blocks are known, (rows,columns), of the present picture."""
        return self.current.known(self._shape)

    def move(self, movement: Matrix) -> None:
        """Note that the room has moved in the picture by `movement`, in pixels.

        The shot plate is warped as it was taken, never one that was warped before.
        """
        self.movement = movement @ self.movement
        if self._origin.any():
            still = warp_blocks(self._origin > 0, movement, self.size, self._side)
            origin = np.where(self._origin == Origin.HEALED, Origin.HEALED, Origin.GROWN)
            moved = _warp_map(origin.astype(np.uint8), movement, self._side)
            self._learned = warp(self._learned, movement)
            self._origin = np.where(still, np.maximum(moved, Origin.GROWN), 0).astype(np.uint8)
        self._refresh()

    def learn(self, picture: Picture, blocks: Mask) -> None:
        """Learn `blocks` (rows,columns) of `picture` (H,W,3), which has the light of the plate."""
        was_shot = self._find_shot() if self.shot is not None else np.zeros(self._shape, bool)
        self._origin = self._origin.copy()
        self._origin[blocks] = np.where(was_shot, Origin.HEALED, Origin.GROWN)[blocks]
        self._learned = self._learned.copy()
        cv2.copyTo(picture, spread(blocks, self.size, self._side).astype(np.uint8), dst=self._learned)
        self.current = self._make()

    def _find_shot(self) -> Mask:
        """Return which blocks of the present picture the shot plate knows."""
        assert self.shot is not None
        before = self.shot.known(self._shape)
        return before if self.movement is STILL else warp_blocks(before, self.movement, self.size, self._side)

    def _refresh(self) -> None:
        """Make the pictures of a plate that lies where it lies now."""
        if self.shot is None:
            self.shown = Plate(np.full((*self.size, 3), _GRAY, np.uint8), np.zeros(self._shape, np.float32))
        elif self.movement is STILL:
            self.shown = self.shot
        else:
            known = self._find_shot()
            rgb = warp(self.shot.rgb, self.movement)
            self.shown = replace(self.shot, rgb=rgb, confidence=known.astype(np.float32))
        self.current = self._make()

    def _make(self) -> Plate:
        """Return `shown` with what was learned."""
        if not self._origin.any():
            return self.shown
        shot = self._find_shot() if self.shot is not None else np.zeros(self._shape, bool)
        learned = (self._origin == Origin.HEALED) | ((self._origin == Origin.GROWN) & ~shot)
        rgb = self.shown.rgb.copy()
        cv2.copyTo(self._learned, spread(learned, self.size, self._side).astype(np.uint8), dst=rgb)
        origin = np.where(learned, self._origin, np.where(shot, Origin.SHOT, 0)).astype(np.uint8)
        return replace(self.shown, rgb=rgb, confidence=(origin > 0).astype(np.float32), origin=origin)


def _warp_map(values: NDArray[np.uint8], movement: Matrix, side: int) -> NDArray[np.uint8]:
    """Move a map of blocks."""
    to_blocks = np.diag((1 / side, 1 / side, 1.0))
    by = to_blocks @ movement @ np.linalg.inv(to_blocks)
    return np.asarray(cv2.warpPerspective(values, by, values.shape[::-1], flags=cv2.INTER_NEAREST), np.uint8)
