"""Timed runs of the daemon's own frame processor: each stop on one thread, and end to end on the pipeline's threads."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle, islice

from camdaemon.backdrop import make_backdrop
from camdaemon.capture import Source
from camdaemon.config.schema import Config
from camdaemon.daemon.build import Engines, matting_settings
from camdaemon.errors import MattingError
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content
from camdaemon.frames.transfer import Device, choose_device
from camdaemon.matting import make_matting
from camdaemon.output.null import NullSink
from camdaemon.pipeline.camera_reader import CameraInput
from camdaemon.pipeline.loops import OutputStage
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Scene, SharedState
from camdaemon.pipeline.threads import Pipeline
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.plate.gate import PlateGate
from camdaemon.tools.bench.footage import Footage
from camdaemon.tools.bench.stopwatch import Run, Stopwatch

_BACKDROP = "color:#2f4f5f"
_POLL_S = 0.5  # so that Ctrl-C is noticed
_FAILED = "frames could not be matted: the log above says why. Run: camdaemon bench --device cpu"


@dataclass(frozen=True, slots=True)
class TimedProcessor:
    """A frame processor with the stopwatch that it reports to and the scene that it shows."""

    processor: FrameProcessor
    stopwatch: Stopwatch
    scene: Scene

    @property
    def device(self) -> Device:
        """Where it computes."""
        return self.processor.engine.transfer.device


def make_processor(config: Config, footage: Footage, *, paced: bool = False) -> TimedProcessor:
    """Make the frame processor as the daemon does, warmed up. Raises ConfigError or MattingError."""
    device, size = choose_device(config.device), footage.size
    stopwatch = Stopwatch(paced=paced, settle=synchronizer(device))
    matting = make_matting(config.matting, matting_settings(config), device)
    gate = PlateGate(refuses=False, doubts=matting.doubts, needs_plate=False)
    engine = replace(Engines(config, size, stopwatch).make_first(device, matting), gate=gate)
    processor = FrameProcessor(engine, CardCache(NullSink.fmt, size), stopwatch, LivePreview())
    return TimedProcessor(processor, stopwatch, Scene(make_backdrop(_BACKDROP, size), footage.plate, max_coverage=1.0))


def run_stops(timed: TimedProcessor, footage: Footage, frames: int) -> Run:
    """Process `frames` frames on the calling thread and wait for the device after each stop.

    The stop 'frame' is the whole of it. Raises MattingError if a frame fails.
    """
    transfer, stopwatch = timed.processor.engine.transfer, timed.stopwatch
    pool = transfer.pool(footage.frames[0].fmt, footage.frames[0].size)
    out = transfer.pool(NullSink.fmt, footage.size, 1).acquire()
    stopwatch.settle = synchronizer(timed.device)
    whole: list[float] = []
    stopwatch.take()
    pop_gpu_memory(timed.device)
    start, cpu = time.perf_counter(), time.process_time()
    with transfer.computing():
        for seq, kept in enumerate(islice(cycle(footage.frames), frames)):
            frame = pool.acquire()
            frame.data[:], frame.seq, frame.t = kept.data, seq, seq / 30
            out.content, out.matte_seq = Content.ROOM, None
            frame_start = time.perf_counter()
            timed.processor.run(frame, pool, timed.scene, out)
            stopwatch.settle()
            whole.append(time.perf_counter() - frame_start)
            if out.content is not Content.COMPOSITE:
                raise MattingError(_FAILED)
            timed.processor.tend()  # the frame is published by now, so this is no part of it
            stopwatch.settle()
    elapsed, used = time.perf_counter() - start, time.process_time() - cpu
    seconds, _ = stopwatch.take()
    return Run(seconds | {"frame": whole}, frames / elapsed, 100 * used / elapsed, pop_gpu_memory(timed.device))


def run_pipeline(
    timed: TimedProcessor,
    open_source: Callable[[], Source],
    frames: int,
    *,
    drop_late: bool = False,
    poll: Callable[[], None] = lambda: None,
) -> Run:
    """Run the pipeline's three threads, from the source's read to the write of a sink that discards the frame.

    Args:
        timed: What processes the frames.
        open_source: Gives the source.
        frames: How many camera frames to play. Rates are from the first published frame to the last.
        drop_late: Drop frames that come while the worker is busy; without it every frame is processed.
        poll: Called twice a second meanwhile.

    Raises:
        MattingError: A frame failed, or fewer than two were published.
    """
    stopwatch = timed.stopwatch
    dropped, failed = stopwatch.get_count("dropped"), stopwatch.get_count("matting_errors")
    stopwatch.settle = lambda: None  # waiting would keep the threads from overlapping
    stopwatch.take()
    pop_gpu_memory(timed.device)
    # A frame is never repeated and never too old: a slow machine is measured, not replaced by a card.
    stage = OutputStage(NullSink(timed.processor.engine.transfer.size), timed.processor.card_cache,
                        timed.processor.preview, None, math.inf)  # fmt: skip
    pipeline = Pipeline(
        camera=CameraInput(open_source(), open_source, frames),
        processor=timed.processor,
        stage=stage,
        state=SharedState(timed.scene),
        metrics=stopwatch,
        keep_all=not drop_late,
    )
    pipeline.start()
    try:
        while not pipeline.wait(_POLL_S):
            poll()
    finally:
        pipeline.stop()
    seconds, published = stopwatch.take()
    if stopwatch.get_count("matting_errors") > failed or len(published) < 2:
        raise MattingError(_FAILED)
    (start, cpu), (end, cpu_end) = published[0], published[-1]
    elapsed = end - start
    return Run(
        seconds,
        (len(published) - 1) / elapsed,
        100 * (cpu_end - cpu) / elapsed,
        pop_gpu_memory(timed.device),
        stopwatch.get_count("dropped") - dropped,
    )


def synchronizer(device: Device) -> Callable[[], None]:
    """Return the function that waits until `device` has finished what it was given."""
    if device == "cpu":
        return lambda: None
    import torch

    return torch.cuda.synchronize


def pop_gpu_memory(device: Device) -> int:
    """Return the peak of allocated GPU memory in bytes since the last call; 0 without a GPU."""
    if device == "cpu":
        return 0
    import torch

    peak = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return peak
