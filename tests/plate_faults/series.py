"""Series of pictures: what the camera sees, what viewers see, and the plate in use, as a fault goes on.

Drawn of the painted clip, so that they may be shown in the documentation.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from camdaemon.config.schema import Config
from camdaemon.control.plates import draw_plate
from camdaemon.frames.frame import HostFrame
from camdaemon.frames.picture import Picture
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.plate.parts import Plate
from tests.plate import painted
from tests.plate_faults.faults import EVENT_S, Fault, put_behind, warp
from tests.plate_faults.footage import Footage, Seen
from tests.plate_faults.play import Figures, Player

_CELL, _QUALITY = (320, 180), 80  # pixels; of the JPEG files, so that they are small enough for a repository
_ROWS = ("camera", "viewers see", "plate: red is not trusted, green was learned")
_CHAIR = (92, 58, 38)
_BUMP = np.array([[1, 0, 42], [0, 1, 16], [0, 0, 1]], np.float64)


def draw_all(folder: Path, config: Config) -> list[Path]:
    """Draw a bump, a chair and a growth into `folder`; return the files."""
    frames = [(painted.film(at), painted.alpha(at)) for at in range(painted.THERE - 4, painted.THERE + 5)]
    clip = Footage("painted", painted.plate(), frames, painted.FPS)
    player, right = Player(config, clip.size, "hills"), Plate(clip.plate)
    series = {
        "bump": (Fault("", right, partial(_bump, matrix=_BUMP)), (2.8, 3.0, 3.3, 6.0)),
        "chair": (Fault("", right, _bring_chair), (2.8, 3.2, 6.0, 14.0)),
        "growth": (Fault("", None), (0.3, 2.0, 6.0, 14.0)),
    }
    files = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, (fault, times) in series.items():
        files.append(folder / f"plate-{name}.jpg")
        drawn = cv2.cvtColor(draw_series(player, clip, fault, times), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(files[-1]), drawn, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return files


def draw_series(player: Player, clip: Footage, fault: Fault, times: tuple[float, ...]) -> Picture:
    """Play `fault` and draw the first frame at or after each of `times`, seconds, as a column."""
    columns: list[Picture] = []

    def look(found: Figures, seen: Seen, out: HostFrame, processor: FrameProcessor) -> None:
        if len(columns) < len(times) and found.t >= times[len(columns)] - 1e-6:
            columns.append(_draw_column(found.t, seen, out, processor))

    for _ in player.play(clip, replace(fault, length_s=times[-1] + 1), look):
        pass
    return np.hstack(columns)


def _draw_column(t: float, seen: Seen, out: HostFrame, processor: FrameProcessor) -> Picture:
    report = processor.keeper.report
    assert report is not None
    data = np.frombuffer(draw_plate(report), np.uint8)
    plate = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)
    cells = [cv2.resize(part, _CELL, interpolation=cv2.INTER_AREA) for part in (seen.rgb, out.data, plate)]
    texts = (f"{t:.1f} s", "", f"{report.known:.0%} trusted")
    for cell, text, name in zip(cells, texts, _ROWS, strict=True):
        label = f"{name}, {text}" if text and name == "camera" else text or name
        for color, width in ((0, 3), (255, 1)):
            cv2.putText(cell, label, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (color,) * 3, width, cv2.LINE_AA)
    return np.asarray(np.vstack(cells), np.uint8)


def _bump(seen: Seen, t: float, matrix: np.ndarray) -> Seen:
    return seen if t < EVENT_S else warp(seen, matrix)


def _bring_chair(seen: Seen, t: float) -> Seen:
    """Put a chair beside the person, behind them."""
    if t < EVENT_S:
        return seen
    height, width = seen.alpha.shape
    where = np.zeros((height, width), np.uint8)
    x, y, unit = round(0.74 * width), round(0.42 * height), height // 36
    parts = ((0, 0, 7, 1), (0, 0, 1, 21), (6, 0, 7, 21), (0, 3, 7, 5), (0, 7, 7, 9), (-1, 11, 9, 13), (8, 11, 9, 21))
    for left, top, right, bottom in parts:
        corners = (x + left * unit, y + top * unit), (x + right * unit, y + bottom * unit)
        cv2.rectangle(where, *corners, 1, -1)
    room = np.broadcast_to(np.array(_CHAIR, np.uint8), seen.room.shape)
    return put_behind(seen, room, where > 0)
