"""Make the README's pictures from what the demo wrote: `make run && python tests/pattern/readme.py out docs`.

A film of the camera beside the composite, as an animated WebP, and the contact sheet as a JPEG.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.capture.pattern import CLIP
from camdaemon.frames import picture
from tests.pattern.paint import Bytes

WIDTH, HEIGHT = 480, 270  # of each half
FPS = 10.0
FROM_S, TO_S = 2.4, 11.6  # the empty room and its card for a moment, then the person
LIMIT = 2_000_000  # bytes of the film


def read_moments(path: Path) -> Iterator[tuple[float, Bytes]]:
    """Decode a clip; yield the seconds of each frame since the first one, and the frame, (H,W,3) RGB, small."""
    with av.open(str(path)) as container:
        first = None
        for frame in container.decode(video=0):
            first = frame.time if first is None else first
            small = cv2.resize(frame.to_ndarray(format="rgb24"), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            yield frame.time - first, np.asarray(small, np.uint8)


def sample(path: Path, times: list[float]) -> list[Bytes]:
    """Return the last frame at or before each of `times`, in seconds and rising."""
    found: list[Bytes] = []
    shown = None
    for t, rgb in read_moments(path):
        while shown is not None and len(found) < len(times) and t > times[len(found)]:
            found.append(shown)
        shown = rgb
    assert shown is not None, f"{path} has no frames"
    return found + [shown] * (len(times) - len(found))


def main(out: Path, docs: Path) -> int:
    """Write demo.webp and contact-sheet.jpg into `docs`; return how the program ends."""
    times = list(np.arange(FROM_S, TO_S, 1 / FPS))
    pairs = zip(sample(CLIP, times), sample(out / "demo.mp4", times), strict=True)
    frames = [Image.fromarray(np.hstack([camera, composite])) for camera, composite in pairs]
    film = docs / "demo.webp"
    frames[0].save(
        film, save_all=True, append_images=frames[1:], duration=round(1000 / FPS), loop=0, quality=62, method=6
    )
    sheet = picture.read(out / "contact-sheet.png", "the folder that the demo wrote")
    cv2.imwrite(str(docs / "contact-sheet.jpg"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 84])
    print(f"{film}: {film.stat().st_size} bytes")
    return int(film.stat().st_size > LIMIT)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
