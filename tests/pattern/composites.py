"""Painted people and rooms for `camdaemon evaluate`; unlike photographs, they may be shown to anybody.

python tests/pattern/composites.py DIR                  # writes DIR/people, DIR/plates
camdaemon evaluate --people DIR/people --plates DIR/plates --live --plate-faults --pictures DIR/sheets --count 2 \
    --matting bgmv2:published --matting bgmv2:slim
python tests/pattern/composites.py DIR docs/faults.jpg  # one row of each of DIR/sheets
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.backdrop.still import ready_path
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.linux.files import replace_atomically
from camdaemon.tools.evaluate.faults import BROUGHT, FAULTS
from camdaemon.tools.evaluate.strips import ROW, name_sheet
from tests.pattern.scene import Scene

_MOMENTS = {"sits": 4.2, "waves": 5.5, "aside": 8.3, "back": 10.6}  # seconds of the clip
_ROOMS = ("evening", "library", "studio", "window")


def write_folders(folder: Path, size: Size) -> tuple[Path, Path]:
    """Write people/NAME.jpg (colors) and NAME.png (alpha), and plates/NAME.png, of pictures of `size`.

    Returns:
        The two folders.
    """
    people, plates = folder / "people", folder / "plates"
    scene = Scene(size, 10)
    people.mkdir(parents=True, exist_ok=True)
    for name, seconds in _MOMENTS.items():
        truth = scene.truth(round(10 * seconds))
        alpha = np.rint(255 * truth.alpha).astype(np.uint8)
        x, y, w, h = cv2.boundingRect(alpha)
        there = (slice(y, y + h), slice(x, x + w))
        _, jpeg = cv2.imencode(".jpg", truth.foreground[there][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        _, png = cv2.imencode(".png", alpha[there])
        replace_atomically(people / f"{name}.jpg", jpeg.tobytes())
        replace_atomically(people / f"{name}.png", png.tobytes())
    rooms = {name: picture.cover(picture.read(ready_path(name), ""), size) for name in _ROOMS}
    for name, room in {"room": scene.plate, **rooms}.items():
        picture.write(plates / f"{name}.png", room)
    return people, plates


def join_sheets(sheets: Path, out: Path, row: int = 1) -> None:
    """Write the `row`-th picture of every fault's sheet into one JPEG, with the faults' names."""
    rows = []
    for name in (*FAULTS, BROUGHT):
        sheet = picture.read(sheets / f"{name_sheet(f'composites {name}')}.png", "")
        line = sheet[row * ROW : (row + 1) * ROW].copy()
        text = name.replace("°", " degrees")  # OpenCV's letters are ASCII
        line[:28, : 12 * len(text)] //= 4
        cv2.putText(line, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
        rows.append(cv2.resize(line, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA))
    _, jpeg = cv2.imencode(".jpg", np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    replace_atomically(out, jpeg.tobytes())


if __name__ == "__main__":
    if len(sys.argv) > 2:
        join_sheets(Path(sys.argv[1]) / "sheets", Path(sys.argv[2]))
    else:
        print(*write_folders(Path(sys.argv[1]), Size(1280, 720)))
