"""Plays a fault through the daemon's own frame processor, and keeps what viewers see of each frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.backdrop import make_backdrop
from camdaemon.config.schema import Config
from camdaemon.daemon.build import Engines, matting_settings
from camdaemon.errors import SuddenChange
from camdaemon.frames import pixels
from camdaemon.frames.appearance import limits_of
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.frames.handoff import Pool
from camdaemon.frames.pixels import Array
from camdaemon.frames.transfer import choose_device
from camdaemon.matting import make_matting
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Scene
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.tools.evaluate.metrics import find_room, holes, leak
from tests.plate_faults.faults import Fault
from tests.plate_faults.footage import Footage, Seen

Look: TypeAlias = "Callable[[Figures, Seen, HostFrame, FrameProcessor], None]"

_VIVID = "color:#ff00ff"
_BLOCK = 16  # pixels


class Figures(NamedTuple):
    """Of one frame. NaN where it is a card, or was held back.

    Attributes:
        t: Seconds.
        leak: Share of the room that viewers see, percent; as `evaluate`.
        holes: Share of the person that they do not see, percent.
        mad: Mean absolute error of alpha, times 1000.
        plate: Mean absolute error of the trusted parts of the plate where the room shows, levels of 255.
        known: Share of the picture of which the plate is trusted, percent.
        is_card: Whether viewers get a card.
        errors: The error of alpha in each block, (rows,columns), times 1000; None for a card.
        room: Blocks in which the room shows, (rows,columns).
        place: Of the clip's frame that was played.
    """

    t: float
    leak: float
    holes: float
    mad: float
    plate: float
    known: float
    is_card: bool
    errors: NDArray[np.float32] | None
    room: NDArray[np.bool_]
    place: int


@dataclass
class _Recorder(LivePreview):
    """Keeps the alpha that the frame was published with."""

    alpha: Array | None = None

    def record_matted(self, src: Array, alpha: Array | None) -> None:
        self.alpha = alpha


class Player:
    """Plays faults of clips of one size.

    Args:
        config: Of the matting; the governor does not take part.
        size: Of the clips.
        backdrop: What viewers see instead of the room.
    """

    def __init__(self, config: Config, size: tuple[int, int], backdrop: str = _VIVID) -> None:
        self._config, self._size, self._backdrop = config, Size(*size), backdrop
        on = choose_device(config.device)
        self._engines = Engines(config, self._size, Metrics(), is_live=True)
        self._on, self._matting = on, make_matting(config.matting, matting_settings(config), on)

    def play(self, clip: Footage, fault: Fault, look: Look | None = None) -> Iterator[Figures]:
        """Yield the figures of each frame; `look` is shown them, the frame and what viewers see."""
        return self.play_all(clip, [fault], look)

    def play_settled(self, clip: Footage, fault: Fault, undisturbed: list[Figures]) -> list[Figures]:
        """Return what the fault is compared with: the scene as it ends, with its own plate, or the clip undisturbed."""
        return undisturbed if fault.settled is None else list(self.play(clip, fault.settled))

    def play_all(self, clip: Footage, faults: Iterable[Fault], look: Look | None = None) -> Iterator[Figures]:
        """Yield the figures of one fault after the other, as of one long call; each begins with the plate it names."""
        engine = self._engines.make_first(self._on, self._matting)
        preview = _Recorder()
        processor = FrameProcessor(engine, CardCache(PixelFormat.RGB, self._size), Metrics(), preview)
        backdrop = make_backdrop(self._backdrop, self._size)
        pool, out = engine.transfer.pool(PixelFormat.RGB, self._size), HostFrame.empty(PixelFormat.RGB, self._size)
        number = 0
        for fault in faults:
            first = number
            for number in range(first, first + round(fault.length_s * clip.fps)):
                seen = fault.change(clip.seen(number - first), (number - first) / clip.fps)
                frame, t = pool.acquire(), number / clip.fps
                frame.data[:], frame.seq, frame.t = seen.rgb, number, t
                if _publish(processor, frame, pool, Scene(backdrop, fault.plate), out):
                    place = clip.index(number - first)
                    found = _measure(t, place, seen, out, preview.alpha, processor)
                    if look is not None:
                        look(found, seen, out, processor)
                    yield found
            number += 1


def _publish(processor: FrameProcessor, frame: HostFrame, inputs: Pool, scene: Scene, out: HostFrame) -> bool:
    """Fill `out` as the worker does; return whether it was, or the frame was held back."""
    out.content = Content.ROOM
    with processor.engine.transfer.computing():
        try:
            processor.run(frame, inputs, scene, out)
        except SuddenChange:
            return False
        finally:
            processor.tend()
    return True


def _measure(
    t: float, place: int, seen: Seen, out: HostFrame, alpha: Array | None, processor: FrameProcessor
) -> Figures:
    plate, known = _compare_plate(seen, processor)
    true = np.asarray(seen.alpha / np.float32(255), np.float32)
    blocks = (true.shape[1] // _BLOCK, true.shape[0] // _BLOCK)
    room = cv2.resize(true, blocks, interpolation=cv2.INTER_AREA) == 0
    if out.content is not Content.COMPOSITE or alpha is None:
        return Figures(t, np.nan, np.nan, np.nan, plate, known, is_card=True, errors=None, room=room, place=place)
    low, high = limits_of(0.0)
    shown = ((pixels.to_host(pixels.unit(alpha))[0, 0] - low) / (high - low)).clip(0, 1)
    difference = 1000 * np.abs(shown - true)
    errors = np.asarray(cv2.resize(difference, blocks, interpolation=cv2.INTER_AREA), np.float32)
    figures = leak(shown, find_room(true)), holes(shown, true), float(difference.mean())
    return Figures(t, *figures, plate, known, is_card=False, errors=errors, room=room, place=place)


def _compare_plate(seen: Seen, processor: FrameProcessor) -> tuple[float, float]:
    """Return the error of the trusted plate where the room shows, in levels, and how much of it is trusted, percent."""
    gate, survey = processor.engine.gate, processor.engine.gate.survey
    if survey is None or processor.keeper.report is None:
        return np.nan, 0.0
    told = gate.confidence(processor.keeper.report.plate, pixels.as_planes(seen.rgb))
    rows, columns = survey.then.shape[:2]
    known = np.ones((rows, columns), bool) if told is None else pixels.to_host(told)[0, 0] > 0
    room, person = (
        cv2.resize(part[: rows * survey.side, : columns * survey.side], (columns, rows), interpolation=cv2.INTER_AREA)
        for part in (seen.room, seen.alpha)
    )
    where = (person == 0) & np.asarray(cv2.resize(known.astype(np.uint8), (columns, rows)) > 0)
    error = np.abs(255 * survey.then - room)[where].mean() if where.any() else np.nan
    return float(error), 100 * float(known.mean())
