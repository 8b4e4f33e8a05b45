"""Pictures to look at beside the scores: a strip of each case, and a contact sheet of each fault."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from camdaemon.frames.picture import Picture
from camdaemon.tools.files.writers import write_png

_STRIP, ROW = 270, 180  # lines
_ROWS = 8  # of a sheet: the first pictures


@dataclass(slots=True)
class Strips:
    """Writes strips and sheets into a folder.

    Attributes:
        folder: Where to; None: nowhere.
        written: The names of the files.
    """

    folder: Path | None
    written: list[str] = field(default_factory=list)
    _sheets: dict[str, list[Picture]] = field(default_factory=dict)

    def keep(self, name: str, strip: list[Picture]) -> None:
        """Write pictures (H,W,3) of one case side by side."""
        if self.folder is not None:
            self._write(name, _join(strip, _STRIP))

    def keep_row(self, sheet: str, make: Callable[[], list[Picture]]) -> None:
        """Add the pictures (H,W,3) that `make` returns as a row to a sheet, unless that is full."""
        rows = self._sheets.setdefault(sheet, [])
        if self.folder is not None and len(rows) < _ROWS:
            rows.append(_join(make(), ROW))
            self._write(name_sheet(sheet), np.asarray(np.vstack(rows), np.uint8))

    def _write(self, name: str, pixels: Picture) -> None:
        assert self.folder is not None
        write_png(self.folder / f"{name}.png", pixels)
        if f"{name}.png" not in self.written:
            self.written.append(f"{name}.png")


def name_sheet(sheet: str) -> str:
    """Return the name of a sheet's file, without its suffix."""
    return re.sub(r"[^\w-]+", "-", sheet).strip("-")


def _join(strip: list[Picture], height: int) -> Picture:
    width = round(strip[0].shape[1] * height / strip[0].shape[0])
    small = [cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in strip]
    return np.asarray(np.hstack(small), np.uint8)
