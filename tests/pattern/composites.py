"""Write painted people and rooms as `camdaemon evaluate` reads them: `python tests/pattern/composites.py FOLDER`.

Then score them, and look at the contact sheets of every fault of a plate; these people may be shown to anybody:

    camdaemon evaluate --people FOLDER/people --plates FOLDER/plates --live --plate-faults --pictures FOLDER/sheets
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


if __name__ == "__main__":
    print(*write_folders(Path(sys.argv[1]), Size(1280, 720)))
