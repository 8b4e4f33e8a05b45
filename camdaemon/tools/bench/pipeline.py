"""End to end: the real pipeline's three threads, from the source's read to the sink's write; the sink forgets."""

from __future__ import annotations

import math
from collections.abc import Callable

from camdaemon.capture import Source
from camdaemon.errors import MattingError
from camdaemon.output.null import NullSink
from camdaemon.pipeline.camera_reader import CameraInput
from camdaemon.pipeline.loops import OutputStage
from camdaemon.pipeline.state import SharedState
from camdaemon.pipeline.threads import Pipeline
from camdaemon.tools.bench.footage import Camera as CameraLike
from camdaemon.tools.bench.footage import Footage
from camdaemon.tools.bench.machine import gpu_memory
from camdaemon.tools.bench.sides import Side
from camdaemon.tools.bench.timing import Run

_LOOK_S = 0.5  # between two looks whether Ctrl-C was pressed


def run_pipeline(
    side: Side, footage: Footage, frames: int, *, realtime: bool, meanwhile: Callable[[], None] = lambda: None
) -> Run:
    """Play `frames` frames; rates are from the first published frame to the last.

    realtime: as a camera gives them, late ones dropped; 'latency' is from capture to the sink. Else every frame as
    fast as it is taken.   meanwhile: called now and then.   Raises MattingError, or whatever a thread died of.
    """
    before, failed = side.watch.counted("dropped"), side.watch.counted("matting_errors")
    side.watch.settle = lambda: None  # waiting would keep the threads from overlapping
    side.watch.take()
    gpu_memory(side.device)
    pipeline = Pipeline(
        camera=CameraInput(_source(footage, realtime), lambda: _source(footage, realtime), frames),
        processor=side.processor,
        # Never repeated, never too old: a slow machine is to be measured, not replaced by a card.
        stage=OutputStage(NullSink(footage.size), side.processor.card_cache, side.processor.preview, None, math.inf),
        state=SharedState(side.scene),
        metrics=side.watch,
        keep_all=not realtime,
    )
    pipeline.start()
    try:
        while not pipeline.wait(_LOOK_S):
            meanwhile()
    finally:
        pipeline.stop()
    seconds, moments = side.watch.take()
    if side.watch.counted("matting_errors") > failed or len(moments) < 2:
        raise MattingError("frames could not be matted, and the log above says why; try --device cpu, or more --frames")
    (begun, worked), (ended, done) = moments[0], moments[-1]
    wall = ended - begun
    return Run(
        seconds,
        (len(moments) - 1) / wall,
        100 * (done - worked) / wall,
        gpu_memory(side.device),
        side.watch.counted("dropped") - before,
    )


def _source(footage: Footage, realtime: bool) -> Source:
    source = footage.open()
    return CameraLike(source) if realtime else source
