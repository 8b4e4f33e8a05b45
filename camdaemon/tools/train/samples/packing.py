"""Pictures read once, scaled, and cached as uint8 in files under 60 MB, so that training never waits for a disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.daemon.progress import show_progress
from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.video import Video
from camdaemon.linux.files import replace_atomically
from camdaemon.tools.train.samples.layouts import FRAMES_OF_A_VIDEO, VIDEOS, Person

PIECE_BYTES = 56_000_000
PERSON_SIDE = 448  # pixels; the longer side of a person
PLATE_SIZE = (360, 640)  # rows, columns
_VERSION = 1  # of the packed form; part of the cache's name

_Item = TypeVar("_Item")
Pixels = NDArray[np.uint8]


class PackedPictures:
    """A set of pictures on canvases of one size, memory-mapped, so that processes on one machine share them.

    Args:
        pieces: uint8 (n,H,W,C) each, all but the last of the same length.
        sizes: Rows and columns of each picture on its canvas.
    """

    def __init__(self, pieces: list[Pixels], sizes: list[tuple[int, int]]) -> None:
        self._pieces, self._sizes = pieces, sizes

    def __len__(self) -> int:
        return len(self._sizes)

    def picture(self, number: int) -> Pixels:
        """Return a picture, uint8 (h,w,C): a view of the mapped file, not to be changed."""
        piece, place = divmod(number, len(self._pieces[0]))
        rows, columns = self._sizes[number]
        return self._pieces[piece][place, :rows, :columns]


def pack_people(people: Sequence[Person], cache: Path, report: Callable[[str], None] = print) -> PackedPictures:
    """Pack colors and alpha of people, (N,448,448,4), cropped to their alpha, in the top left corner."""
    return _pack("people", people, lambda person: map(_fit_to_canvas, _read_cutouts(person)), cache, report)


def pack_plates(plates: Sequence[Path], cache: Path, report: Callable[[str], None] = print) -> PackedPictures:
    """Pack rooms, (N,360,640,3), cropped to 16:9 around their middle."""
    return _pack(
        "plates", plates, lambda plate: iter([_cut_to_plate(picture.read(plate, f"rm {plate}"))]), cache, report
    )


def _pack(
    name: str,
    items: Sequence[_Item],
    read: Callable[[_Item], Iterator[Pixels]],
    cache: Path,
    report: Callable[[str], None],
) -> PackedPictures:
    folder = cache / f"{name}-{_cache_key(items)}"
    index = folder / "index.json"
    if not index.is_file():
        report(f"packing {len(items)} {name} into {folder}")
        _write_pieces(name, folder, items, read)
    sizes = json.loads(index.read_text("utf-8"))["sizes"]
    pieces = [np.load(piece, mmap_mode="r") for piece in sorted(folder.glob("piece-*.npy"))]
    if sum(map(len, pieces)) != len(sizes):
        raise ConfigError(f"the cache {folder} is incomplete. Remove it and start again. Run: rm -r {folder}")
    return PackedPictures(pieces, [(rows, columns) for rows, columns in sizes])


def _write_pieces(name: str, folder: Path, items: Sequence[_Item], read: Callable[[_Item], Iterator[Pixels]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sizes: list[tuple[int, int]] = []
    held: list[Pixels] = []
    pieces = 0

    def flush() -> None:
        nonlocal pieces
        if held:
            np.save(folder / f"piece-{pieces:05}.npy", np.stack([_paste_on_canvas(pixels) for pixels in held]))
            pieces += 1
            held.clear()

    with show_progress(f"packing {name}", len(items)) as advance:
        for item in items:
            for pixels in read(item):
                sizes.append(pixels.shape[:2])
                held.append(pixels)
                if (len(held) + 1) * _paste_on_canvas(pixels).nbytes > PIECE_BYTES:
                    flush()
            advance()
    flush()
    # Last, so that an interrupted packing is not taken for a whole one.
    replace_atomically(folder / "index.json", json.dumps({"sizes": sizes}))


def _cache_key(items: Sequence[Any]) -> str:
    facts = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for item in items for path in _paths(item)]
    return hashlib.sha256(json.dumps([_VERSION, PERSON_SIDE, PLATE_SIZE, facts]).encode()).hexdigest()[:16]


def _paths(item: Any) -> tuple[Path, ...]:
    return tuple(item) if isinstance(item, Person) else (item,)


def _read_cutouts(person: Person) -> Iterator[Pixels]:
    """Yield RGBA pictures of one person: one picture, or some frames of a video."""
    if person.alpha.suffix.lower() not in VIDEOS:
        gray = picture.read_gray(person.alpha, f"rm {person.alpha}")
        yield _join_alpha(
            picture.read(person.color, f"rm {person.color}"), gray if gray.dtype == np.uint8 else gray >> 8, person
        )
        return
    with closing(_open_video(person.color)) as colors, closing(_open_video(person.alpha)) as alphas:
        step = max(1, (colors.count or 0) // FRAMES_OF_A_VIDEO)
        pairs = zip(colors.play(loop=False), alphas.play(loop=False), strict=False)
        for number, ((_, color), (_, alpha)) in enumerate(pairs):
            if number % step == 0:
                yield _join_alpha(colors.convert.picture(color), alphas.convert.planes(alpha, "gray")[0], person)


def _open_video(path: Path) -> Video:
    return Video(path, "training data", f"Replace it, or run: rm {path}")


def _join_alpha(color: NDArray[Any], alpha: NDArray[Any], person: Person) -> Pixels:
    if color.shape[:2] != alpha.shape:
        raise ConfigError(f"{person.color} and {person.alpha} differ in size. Make them equal, or remove them")
    return np.dstack([color, alpha]).astype(np.uint8)


def _fit_to_canvas(cutout: Pixels) -> Pixels:
    """Crop to where alpha is, and scale the longer side to 448. Colors are weighted by alpha, to avoid rims."""
    rows, columns = (np.flatnonzero(cutout[:, :, 3].max(axis)) for axis in (1, 0))
    if len(rows):
        cutout = cutout[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = PERSON_SIDE / max(cutout.shape[:2])
    size = (max(1, round(cutout.shape[1] * scale)), max(1, round(cutout.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    alpha = cutout[:, :, 3:].astype(np.float32) / 255
    weighted, plain = (cv2.resize(cutout[:, :, :3] * by, size, interpolation=how) for by in (alpha, np.float32(1)))
    small = cv2.resize(alpha, size, interpolation=how)[:, :, None].clip(0, 1)
    color = np.where(small > 0.05, weighted / np.maximum(small, 0.05), plain)
    return np.dstack([color, small * 255]).round().clip(0, 255).astype(np.uint8)


def _cut_to_plate(room: Pixels) -> Pixels:
    rows, columns = PLATE_SIZE
    scale = max(rows / room.shape[0], columns / room.shape[1])
    size = (max(columns, round(room.shape[1] * scale)), max(rows, round(room.shape[0] * scale)))
    scaled = cv2.resize(room, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (size[1] - rows) // 2, (size[0] - columns) // 2
    return np.asarray(scaled[top : top + rows, left : left + columns], np.uint8)


def _paste_on_canvas(pixels: Pixels) -> Pixels:
    rows, columns = PLATE_SIZE if pixels.shape[2] == 3 else (PERSON_SIDE, PERSON_SIDE)
    canvas = np.zeros((rows, columns, pixels.shape[2]), np.uint8)
    canvas[: pixels.shape[0], : pixels.shape[1]] = pixels
    return canvas
