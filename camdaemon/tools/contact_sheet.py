"""A picture of what the pipeline does: camera | alpha | composite, a row for each moment."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import cv2
import numpy as np

from camdaemon.frames.job import JobFrame
from camdaemon.frames.picture import Picture, from_tensor

Moment = tuple[Picture, Picture, Picture]  # camera, alpha (gray as RGB), composite; each uint8 (H,W,3)


class MomentJob:
    """Copies the next frame that has a matte to the host (a Job). For this machine's own eyes: it holds the room."""

    def __init__(self) -> None:
        self.future: Future[Moment] = Future()

    def card(self) -> None:
        """The show goes on."""

    def feed(self, look: JobFrame) -> Moment | None:
        """See Job.feed."""
        if look.alpha is None or look.finished is None:
            return None
        gray = look.alpha.expand(-1, 3, -1, -1)
        return from_tensor(look.src), from_tensor(gray), from_tensor(look.finished)


def sheet(moments: Sequence[Moment], width: int = 1440) -> Picture:
    """Rows of moments under three headings, `width` pixels wide."""
    gap, head = 12, 44
    column = (width - 4 * gap) // 3
    height, across = moments[0][0].shape[:2]
    row = round(column * height / across)
    canvas = np.full((head + len(moments) * (row + gap), width, 3), 246, np.uint8)
    for i, title in enumerate(("camera", "alpha", "composite")):
        at = (gap + i * (column + gap), head - 14)
        cv2.putText(canvas, title, at, cv2.FONT_HERSHEY_DUPLEX, 0.75, (50, 60, 70), 1, cv2.LINE_AA)
    for j, moment in enumerate(moments):
        for i, picture in enumerate(moment):
            x, y = gap + i * (column + gap), head + j * (row + gap)
            canvas[y : y + row, x : x + column] = cv2.resize(picture, (column, row), interpolation=cv2.INTER_AREA)
    return canvas
