"""What the gate lets through: `python tests/benchmarks/gate.py --clips FOLDER` (ten minutes for two clips).

FOLDER holds clips with their truth: NAME.mp4, NAME-plate.png, and NAME-alpha.mp4, the true matte as gray. Each is
played through the daemon's own frame processor, as it is and changed as rooms and cameras change. A leak is a pixel of
the true room that viewers see.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import torch
import typer

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.backdrop import make_backdrop
from camdaemon.config.schema import Config
from camdaemon.daemon.build import Engines, matting_settings
from camdaemon.errors import CamdaemonError, ConfigError, SuddenChange
from camdaemon.frames import picture
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.frames.picture import Picture
from camdaemon.frames.transfer import choose_device
from camdaemon.matting import Matting, make_matting
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Scene
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.plate.parts import Plate

_BROKEN = "every fifth is broken"  # always played as from a camera
_BACKDROP = (0, 255, 0)
_SHOWN = 25  # levels from the backdrop's color, from which on a pixel shows something else
_SETTLED_S = 2.0  # from here on composites are counted
_EVENT_S = 5.0  # when a lamp goes on or the camera is bumped


class Seen(NamedTuple):
    """One frame: the camera's picture (H,W,3) and the true alpha (H,W), uint8."""

    rgb: Picture
    alpha: Picture


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip with its truth; `frames` are every so many of them, at `fps` per second."""

    name: str
    plate: Picture
    frames: list[Seen]
    fps: float


class Row(NamedTuple):
    """What became of one clip in one scenario; shares 0..1."""

    clip: str
    scenario: str
    composites: float  # of the frames from two seconds on
    worst: float  # largest share of the room in any published frame
    person: float  # of the true person, on average over the composites

    def __str__(self) -> str:
        shares = (f"{100 * share:6.1f} %" for share in (self.composites, self.worst, self.person))
        return f"{self.clip:12} {self.scenario:22} {'   '.join(shares)}"


Change = Callable[[Seen, float], Seen]  # a frame and its time in seconds → the frame as it would have been


def load(folder: Path, name: str, every: int) -> Clip:
    """Load every so many frames of a clip with its truth. Raises ConfigError if a file is missing."""
    plate = picture.read(folder / f"{name}-plate.png", "")
    film, truth = (cv2.VideoCapture(str(folder / f"{name}{part}.mp4")) for part in ("", "-alpha"))
    if not film.isOpened() or not truth.isOpened():
        raise ConfigError(f"clip {name}: {name}.mp4 or {name}-alpha.mp4 cannot be read in {folder}. Run: ls {folder}")
    frames: list[Seen] = []
    number = 0
    while film.grab() and truth.grab():
        if number % every == 0:
            (_, bgr), (_, gray) = film.retrieve(), truth.retrieve()
            frames.append(
                Seen(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), np.array(gray[..., 0], np.uint8))
            )
        number += 1
    return Clip(name, plate, frames, film.get(cv2.CAP_PROP_FPS) / every)


def scenarios(clip: Clip, other: Clip) -> Iterator[tuple[str, Picture, Change]]:
    """List what may happen: its name, the plate in use, and how a frame changes."""
    width = clip.plate.shape[1]
    yield "right plate", clip.plate, lambda seen, t: seen
    yield "second person", clip.plate, lambda seen, t: _beside(seen, _at(other, t), -0.28 * width)
    yield "raised hand", clip.plate, lambda seen, t: _with_hand(seen, _at(clip, _EVENT_S), t)
    yield _BROKEN, clip.plate, lambda seen, t: _torn(seen, round(t * clip.fps))
    for side in ("left", "right", "top"):
        yield f"lamp {side}", clip.plate, _from(_EVENT_S, partial(_lit, side=side))
    for right, down in ((20, 0), (-14, 14), (0, -20)):
        yield f"bump {right}, {down}", clip.plate, _from(_EVENT_S, partial(_moved, right=right, down=down))
    yield "bumped before", clip.plate, _from(0, partial(_moved, right=20, down=0))
    yield "other plate", other.plate, lambda seen, t: seen
    yield "tilted lid", clip.plate, _from(0, _tilted)
    for right, down in ((80, 0), (0, -80)):
        yield f"moved {right}, {down}", clip.plate, _from(0, partial(_moved, right=right, down=down))
    yield "moved at 5 s", clip.plate, _from(_EVENT_S, partial(_moved, right=80, down=0))


def _from(begin: float, change: Callable[[Seen], Seen]) -> Change:
    return lambda seen, t: change(seen) if t >= begin else seen


def _at(clip: Clip, t: float) -> Seen:
    return clip.frames[min(len(clip.frames) - 1, round(t * clip.fps))]


def _lit(seen: Seen, side: str) -> Seen:
    """Switch a lamp on at one side."""
    height, width = seen.alpha.shape
    ramps = {
        "left": np.linspace(1.35, 1, width)[None, :, None],
        "right": np.linspace(1, 1.35, width)[None, :, None],
        "top": np.linspace(1.35, 1, height)[:, None, None],
    }
    return Seen(np.clip(seen.rgb * ramps[side] + 0.5, 0, 255).astype(np.uint8), seen.alpha)


def _warped(part: Picture, matrix: np.ndarray) -> Picture:
    size = part.shape[1::-1]
    return np.asarray(cv2.warpPerspective(part, matrix, size, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def _moved(seen: Seen, right: float, down: float) -> Seen:
    by = np.array([[1, 0, right], [0, 1, down], [0, 0, 1]], np.float64)
    return Seen(*(_warped(part, by) for part in seen))


def _tilted(seen: Seen) -> Seen:
    """Turn a laptop's lid back: the room sinks by more than a quarter, and its lines lean."""
    height, width = seen.alpha.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    there = corners + np.array([[-0.06 * width, 200], [0.06 * width, 200], [0, 200], [0, 200]], np.float32)
    return Seen(*(_warped(part, cv2.getPerspectiveTransform(corners, there)) for part in seen))


def _beside(seen: Seen, person: Seen, right: float) -> Seen:
    """Put another clip's person beside the first."""
    by = np.array([[1, 0, right], [0, 1, 40]], np.float64)
    size = seen.alpha.shape[::-1]
    rgb, alpha = (cv2.warpAffine(part, by, size) for part in person)
    return _over(seen, np.asarray(rgb, np.uint8), np.asarray(alpha, np.uint8))


def _with_hand(seen: Seen, arm: Seen, t: float) -> Seen:
    """Wave a loose piece of the person in the upper left corner, a forearm and hand without its elbow."""
    height, width = seen.alpha.shape
    solid = np.argwhere(arm.alpha > 250)
    y, x = solid[len(solid) // 2]
    shape = np.zeros_like(seen.alpha)
    center = (int(0.12 * width + 24 * np.sin(3 * t)), int(0.22 * height))
    cv2.ellipse(shape, center, (44, 120), 12 * np.sin(3 * t), 0, 360, 255, -1, cv2.LINE_AA)
    by = np.array([[1, 0, center[0] - x], [0, 1, center[1] - y]], np.float64)
    rgb = cv2.warpAffine(arm.rgb, by, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return _over(seen, np.asarray(rgb, np.uint8), np.asarray(cv2.GaussianBlur(shape, (0, 0), 1.5), np.uint8))


def _torn(seen: Seen, number: int) -> Seen:
    """A camera's frame whose lower part comes from elsewhere in the picture, as when it lost some of its data."""
    if number % 5 != 4:
        return seen
    rgb, alpha = seen.rgb.copy(), seen.alpha.copy()
    height, width = alpha.shape
    below, by = slice(int(height * (0.3 + 0.1 * (number % 6))), height), width // 4 + 16 * (number % 11)
    rgb[below], alpha[below] = np.roll(seen.rgb[below], by, 1), np.roll(seen.alpha[below], by, 1)
    return Seen(rgb, alpha)


def _over(seen: Seen, rgb: Picture, alpha: Picture) -> Seen:
    share = alpha[..., None] / np.float32(255)
    mixed = seen.rgb * (1 - share) + rgb * share
    return Seen((mixed + 0.5).astype(np.uint8), np.maximum(seen.alpha, alpha))


def play(
    clip: Clip, plate: Picture, change: Change, config: Config, matting: Matting, *, is_live: bool
) -> tuple[float, float, float]:
    """Play a changed clip; return the last three figures of a `Row`."""
    size = Size(*clip.plate.shape[1::-1])
    engine = Engines(config, size, Metrics(), is_live=is_live).make_first(choose_device(config.device), matting)
    processor = FrameProcessor(engine, CardCache(PixelFormat.RGB, size), Metrics(), LivePreview())
    scene = Scene(make_backdrop("color:#{:02x}{:02x}{:02x}".format(*_BACKDROP), size), Plate(plate))
    pool, out = engine.transfer.pool(PixelFormat.RGB, size), HostFrame.empty(PixelFormat.RGB, size)
    composites, leaks, persons = [], [0.0], []
    for number, original in enumerate(clip.frames):
        t = number / clip.fps
        seen, frame = change(original, t), pool.acquire()
        frame.data[:], frame.seq, frame.t = seen.rgb, number, t
        out.content = Content.ROOM
        with torch.inference_mode(), contextlib.suppress(SuddenChange):  # then viewers keep the picture before it
            processor.run(frame, pool, scene, out)
        is_composite = out.content is Content.COMPOSITE
        if t >= _SETTLED_S:
            composites.append(is_composite)
        if is_composite:
            shown = np.abs(out.data.astype(np.int16) - np.array(_BACKDROP)).max(2) > _SHOWN
            leaks.append(float(shown[seen.alpha < 5].mean()))
            if (seen.alpha > 250).mean() > 0.01:
                persons.append(float(shown[seen.alpha > 250].mean()))
    return float(np.mean(composites)), max(leaks), float(np.mean(persons or [np.nan]))


def main(
    clips: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of clips with plate and alpha.")],
    every: Annotated[int, typer.Option(min=1, help="Use every so many frames.")] = 5,
    only: Annotated[str, typer.Option(help="Only the scenarios whose name contains this.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda.")] = "auto",
    live: Annotated[
        bool, typer.Option(help="As from a camera: what appears at once is held back. Use --every 1.")
    ] = False,
) -> None:
    """Print, for each clip and scenario, the share of composites, the worst leak, and how much of the person shows."""
    names = sorted(path.name.removesuffix("-plate.png") for path in clips.glob("*-plate.png"))
    if len(names) < 2:
        raise ConfigError(f"two clips are needed, {clips} has {len(names)} with NAME-plate.png. Run: … --clips FOLDER")
    loaded = [load(clips, name, every) for name in names]
    config = Config(device=device, engine="torch", precision="float32", governor=False)
    on = choose_device(config.device)
    matting = make_matting(config.matting, matting_settings(config), on)
    print(f"{'clip':12} {'scenario':22} composites   worst leak   person")
    for clip, other in zip(loaded, [*loaded[1:], loaded[0]], strict=True):
        for scenario, plate, change in scenarios(clip, other):
            if only in scenario:
                figures = play(clip, plate, change, config, matting, is_live=live or scenario == _BROKEN)
                print(Row(clip.name, scenario, *figures), flush=True)


if __name__ == "__main__":
    try:
        typer.run(main)
    except CamdaemonError as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
