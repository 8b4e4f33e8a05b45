"""Each stop by itself: the worker's journey on the calling thread, every stop waited for."""

from __future__ import annotations

import time
from itertools import cycle, islice

import torch

from camdaemon.errors import MattingError
from camdaemon.frames.frame import Content, HostFrame
from camdaemon.output.null import NullSink
from camdaemon.tools.bench.footage import Footage
from camdaemon.tools.bench.machine import gpu_memory, settled
from camdaemon.tools.bench.sides import Side
from camdaemon.tools.bench.timing import Run


def run_stops(side: Side, footage: Footage, frames: int) -> Run:
    """`frames` journeys one after the other; 'frame' is the whole journey. Raises MattingError where one fails."""
    transfer = side.processor.engine.transfer
    first = footage.frames[0]
    pool = transfer.pool(first.fmt, first.size)
    out = transfer.pool(NullSink.fmt, footage.size, 1).acquire()
    side.watch.settle = settled(side.device)
    whole: list[float] = []
    side.watch.take()
    gpu_memory(side.device)
    begun, worked = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        for seq, each in enumerate(islice(cycle(footage.frames), frames)):
            frame = pool.acquire()
            _fill(frame, each, seq)
            out.content, out.matte_seq = Content.ROOM, None
            start = time.perf_counter()
            side.processor.run(frame, pool, side.scene, out)
            side.watch.settle()
            whole.append(time.perf_counter() - start)
            if out.content is not Content.COMPOSITE:
                raise MattingError("a frame could not be matted, and the log above says why; try --device cpu")
    wall, cpu = time.perf_counter() - begun, time.process_time() - worked
    seconds, _ = side.watch.take()
    return Run(seconds | {"frame": whole}, frames / wall, 100 * cpu / wall, gpu_memory(side.device))


def _fill(frame: HostFrame, like: HostFrame, seq: int) -> None:
    frame.data[:] = like.data
    frame.seq, frame.t = seq, seq / 30
