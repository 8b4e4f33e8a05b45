"""Fakes of a source, a sink and a matting that assert the contracts of what they replace, and a pipeline of them.

The room has a marker color that nothing else contains: a published frame with the marker is a leak. The person is a
gray square that moves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np

from camdaemon.backdrop import make_backdrop
from camdaemon.config.schema import Config
from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames import color, pixels
from camdaemon.frames.card import CardCache
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.frames.pixels import Array
from camdaemon.frames.transfer import Device, open_transfer
from camdaemon.matting.effort import Effort
from camdaemon.pipeline.camera_reader import CameraInput
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.engine import Engine
from camdaemon.pipeline.loops import OutputStage
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Scene, SharedState
from camdaemon.pipeline.threads import Pipeline
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.plate.gate import PlateGate
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from camdaemon.plate.take import PlateRules

SIZE = Size(128, 72)
MARKER = (255, 0, 255)  # RGB of the whole room
PERSON = (120, 120, 120)
RULES = PlateRules(frames=3, still_s=0.1, timeout_s=1.0)


class OutOfMemory(RuntimeError):
    """A failure of the device as a GPU knows it: in a `Rig` it costs a frame, and not the daemon."""


def room(size: Size = SIZE) -> np.ndarray:
    return np.full((size.height, size.width, 3), MARKER, np.uint8)


class FakeSource:
    """A camera at `fps` that films the marked room, and from frame `enters` on a person.

    `script[n]` is raised, or called, at frame n.
    """

    fmt = PixelFormat.RGB
    has_controls = False

    def __init__(self, frames=None, *, fps=60.0, enters=0, live=True, size=SIZE, script=None):
        self.name, self.live, self.size, self.fps = "fake", live, size, fps
        self._frames, self._enters, self._script = frames, enters, script or {}
        self._thread: threading.Thread | None = None
        self.closed, self.count = False, 0

    def read(self, into: HostFrame) -> None:
        self._thread = self._thread or threading.current_thread()
        assert threading.current_thread() is self._thread, "a source belongs to one thread"
        assert not self.closed, "read after close"
        assert (into.fmt, into.size) == (self.fmt, self.size)
        time.sleep(1 / self.fps)
        n, self.count = self.count, self.count + 1
        if self._frames is not None and n >= self._frames:
            raise StreamEnded("the fake clip is over")
        event = self._script.get(n)
        if isinstance(event, Exception):
            raise event
        if event is not None:
            event()
        into.data[:] = MARKER
        if n >= self._enters:
            x = 20 + n % 40
            into.data[20:60, x : x + 30] = PERSON
        into.t = time.monotonic()

    def close(self) -> None:
        self.closed = True


class RecordingSink:
    """Keeps an RGB copy of every frame with its declared content; write number `fail_at` raises DeviceError."""

    name, fmt, live = "recording", PixelFormat.I420, True
    can_reopen: bool = False
    viewers: tuple[Any, ...] = ()

    def __init__(self, size=SIZE, fail_at=None):
        self.size, self.frames, self.closed, self._fail_at = size, [], False, fail_at
        self._thread = None

    def write(self, frame: HostFrame) -> None:
        self._thread = self._thread or threading.current_thread()
        assert threading.current_thread() is self._thread, "a sink belongs to one thread"
        assert not self.closed, "write after close"
        assert (frame.fmt, frame.size) == (self.fmt, self.size)
        assert frame.data.shape == frame.fmt.shape(frame.size)
        if self._fail_at is not None and len(self.frames) >= self._fail_at:
            raise DeviceError("the fake virtual camera is gone; type: true")
        self.frames.append((frame.content, frame.seq, color.host_to_rgb(frame.data.copy(), frame.fmt)))

    def close(self) -> None:
        self.closed = True

    def contents(self) -> list[Content]:
        return [content for content, _, _ in self.frames]


def marked(rgb: np.ndarray) -> float:
    """Return the share (0..1) of pixels in about the marker color, also where it is mixed half with another color."""
    red, green, blue = (rgb[..., i].astype(int) for i in range(3))
    return float(((np.minimum(red, blue) - green) > 90).mean())


class PerfectMatting:
    """Detects the person by its color. `sabotage(n, matte)` may return another matte, or raise.

    `told` is the confidence that it was given with each frame. What is no frame (`seq` below 0: the plate is looked at)
    is neither counted nor sabotaged.
    """

    name = "perfect"
    effort = Effort()
    ladder: tuple[Effort, ...] = (effort,)
    settled = True

    def __init__(self, sabotage: Callable[[int, Matte], Matte] | None = None, *, doubts: bool = False):
        self._sabotage, self.calls, self.doubts = sabotage, 0, doubts
        self.told: list[Array | None] = []
        self._thread: threading.Thread | None = None

    def warm_up(self, size: Size) -> None:
        assert isinstance(size, Size)

    def prepare(self, src: Array, plate: Array, confidence: Array | None) -> None:
        assert src.shape == plate.shape

    def prepared_cost(self, seconds: float) -> float:
        return seconds

    def __call__(
        self,
        src: Array,
        plate: Array,
        confidence: Array | None,
        seq: int,
        halfway: Callable[[], None] | None = None,
    ) -> Matte:
        if halfway is not None:
            halfway()
        self._thread = self._thread or threading.current_thread()
        assert threading.current_thread() is self._thread, "a matting belongs to the worker"
        assert src.shape == plate.shape
        assert src.dtype == plate.dtype
        assert src.shape[:2] == (1, 3)
        unit = pixels.unit(src)
        assert 0 <= float(unit.min()) <= float(unit.max()) <= 1
        if seq < 0:
            alone = self._see_alone(unit)
            return Matte(pixels.like(alone, src), pixels.like(unit * alone, src), seq)
        self.told.append(confidence)
        alpha = self._find(unit, pixels.unit(plate), confidence)
        n, self.calls = self.calls, self.calls + 1
        if self._sabotage:  # in floats: these also hold NaN and infinity
            return self._sabotage(n, Matte(alpha, unit * alpha, seq))
        return Matte(pixels.like(alpha, src), pixels.like(unit * alpha, src), seq)

    def _find(self, unit: Any, plate: Any, confidence: Array | None) -> Any:
        return self._see(unit)

    def _see_alone(self, unit: Any) -> Any:
        return self._see(unit)

    def _see(self, unit: Any) -> Any:
        return (unit[:, 1:2] > 0.2) * pixels.namespace(unit).ones_like(unit[:, :1])


class BelievingMatting(PerfectMatting):
    """Takes whatever differs from the plate for the person, and is perfect where the plate's confidence is 0."""

    def __init__(self, sabotage: Callable[[int, Matte], Matte] | None = None):
        super().__init__(sabotage, doubts=True)

    def _find(self, unit: Any, plate: Any, confidence: Array | None) -> Any:
        xp = pixels.namespace(unit)
        differs = (abs(unit - plate) > 0.1).any(1)[:, None] * xp.ones_like(unit[:, :1])
        if confidence is None:
            return differs
        rows, columns = (
            np.arange(length) * blocks // length
            for length, blocks in zip(unit.shape[2:], confidence.shape[2:], strict=True)
        )
        return xp.where(confidence[:, :, rows[:, None], columns] > 0.5, differs, self._see(unit))


def assert_keeps_the_contract(matting: Any, src: Array, plate: Array) -> None:
    """Assert what every `Matting` promises, on one frame of 128x96 pixels, in floats or bytes."""
    copies = [pixels.to_host(each).copy() for each in (src, plate)]
    matting.warm_up(Size(128, 96))
    matte = matting(src, plate, None, 41)
    assert matte.seq == 41
    assert matte.alpha.shape == (1, 1, 96, 128)
    assert matte.foreground.shape == (1, 3, 96, 128)
    for part in (matte.alpha, matte.foreground):
        assert pixels.is_beside(part, src)
        assert part.dtype == src.dtype
        assert 0 <= pixels.unit(part).min() <= pixels.unit(part).max() <= 1
    assert np.array_equal(pixels.to_host(src), copies[0])
    assert np.array_equal(pixels.to_host(plate), copies[1])


@dataclass
class Rig:
    """A whole pipeline on fakes: `rig.pipeline.start()`, act, `rig.run_until(condition)`, `rig.pipeline.stop()`."""

    source: FakeSource = field(default_factory=FakeSource)
    sink: RecordingSink = field(default_factory=RecordingSink)
    matting: Any = field(default_factory=PerfectMatting)
    plate: Plate | None = field(default_factory=lambda: Plate(room()))
    reopen: Callable[[], FakeSource] | None = None
    backdrop: str = "color:#00ff00"
    stale_after_s: float = 0.3
    repeat_s: float | None = 0.05
    keep_all: bool = False
    limit: int | None = None
    device: Device = "cpu"
    needs_plate: bool = True
    is_live: bool = False

    def __post_init__(self) -> None:
        size = self.sink.size
        if self.plate is not None and self.plate.rgb.shape[:2] != (size.height, size.width):
            self.plate = Plate(room(size))
        self.transfer = open_transfer(self.device, size)
        self.transfer.failures = (OutOfMemory, *self.transfer.failures)
        self.metrics, card_cache = Metrics(), CardCache(self.sink.fmt, size)
        matcher = PlateMatcher(self.transfer.upload_picture, enabled=False)
        self.preview = LivePreview()
        gate = PlateGate(is_live=self.is_live, doubts=self.matting.doubts, needs_plate=self.needs_plate)
        compositor = Compositor(self.transfer.upload_picture, self.metrics)
        engine = Engine(self.transfer, self.matting, matcher, compositor, gate=gate)
        self.state = SharedState(Scene(make_backdrop(self.backdrop, size), self.plate, max_coverage=0.9))
        self.pipeline = Pipeline(
            camera=CameraInput(self.source, self.reopen or self._gone, self.limit),
            processor=FrameProcessor(engine, card_cache, self.metrics, self.preview),
            stage=OutputStage(self.sink, card_cache, self.preview, self.repeat_s, self.stale_after_s),
            state=self.state,
            metrics=self.metrics,
            keep_all=self.keep_all,
        )
        self.config = Config(source="fake", sink="fake", plate_taking=asdict(RULES))

    @staticmethod
    def _gone() -> FakeSource:
        raise DeviceError("the fake camera is still gone; type: true")

    def run_until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until `condition()` is true; fail the test after `seconds`."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the condition was never met"
            time.sleep(0.005)

    def counts(self) -> dict[str, int]:
        """Return the counters of the pipeline, by name."""
        return cast("dict[str, int]", self.metrics.snapshot()["counts"])

    def published(self, content: Content, count: int = 1, since: int = 0) -> Callable[[], bool]:
        return lambda: self.sink.contents()[since:].count(content) >= count

    def assert_no_room(self) -> None:
        """Assert that no published frame shows the marker."""
        leaks = [(i, c, seq) for i, (c, seq, rgb) in enumerate(self.sink.frames) if marked(rgb) > 0]
        assert self.sink.frames, "nothing was published at all"
        assert not leaks, f"the room leaked in {leaks[:5]} of {len(self.sink.frames)} frames"
