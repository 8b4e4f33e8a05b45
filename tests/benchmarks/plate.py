"""What looking after the plate costs between two frames, and how long it takes to find where a camera was moved to.

Both are compared with the time of a frame in the same run: it is the next frame that they could delay.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import cv2
import numpy as np

from camdaemon.errors import ConfigError
from camdaemon.frames import color
from camdaemon.frames.frame import Content
from camdaemon.frames.picture import Picture, quiet_opencv
from camdaemon.linux.threads import run_in_thread
from camdaemon.matting.bgmv2.weights import find_weights
from camdaemon.output.null import NullSink
from camdaemon.plate.keeper import FINE
from camdaemon.plate.parts import Plate
from camdaemon.plate.pose import STILL, View, find_movement, measure_fit, scale_movement, warp
from camdaemon.plate.survey import choose_side
from camdaemon.tools.bench.footage import Footage, load_footage
from camdaemon.tools.bench.runs import TimedProcessor, make_processor
from tests.benchmarks import machine
from tests.benchmarks.measure import describe
from tests.benchmarks.settings import Settings
from tests.plate_faults.faults import list_movements

_WARM_UP = 10  # frames


def measure_plate(settings: Settings) -> dict[str, Any]:
    """Play a clip with the right plate and with none, then move its camera. Raises ConfigError or MattingError."""
    quiet_opencv()
    busy = machine.warn_if_busy()
    with machine.use_threads(settings.threads) as threads:
        config = settings.config(find_weights(settings.weights))
        footage = load_footage(config)
        timed = run_in_thread(lambda: make_processor(config, footage), "bench")
        if timed.processor.engine.gate.needs_plate:
            raise ConfigError("these weights cannot do without a plate, so none grows. Run: … --plate --weights slim")
        kept = {
            name: run_in_thread(partial(_play, timed, footage, plate, settings.frames), "bench")
            for name, plate in (("a plate that fits", footage.plate), ("a plate that grows", None))
        }
        frame_ms = median(run["frame_ms"] for run in kept.values())
        return {
            "machine": machine.describe(timed.device, threads),
            "busy": busy,
            "subject": describe(settings, footage, timed),
            "plate": kept,
            "movements": _time_movements(footage, settings.rounds, frame_ms),
        }


def _play(timed: TimedProcessor, footage: Footage, plate: Plate | None, frames: int) -> dict[str, float]:
    """Return the milliseconds of a frame, and of looking after the plate: the mean, and of the longest time."""
    processor, stopwatch = timed.processor, timed.stopwatch
    pool = processor.engine.transfer.pool(footage.frames[0].fmt, footage.frames[0].size)
    out = processor.engine.transfer.pool(NullSink.fmt, footage.size, 1).acquire()
    scene = replace(timed.scene, plate=plate)
    whole: list[float] = []  # seconds
    with processor.engine.transfer.computing(), contextlib.closing(footage.open()) as source:
        for number in range(_WARM_UP + frames):
            if number == _WARM_UP:
                stopwatch.take()
                whole.clear()
            frame = pool.acquire()
            source.read(frame)
            frame.seq, frame.t = number, number / footage.fps
            out.content = Content.ROOM
            start = time.perf_counter()
            processor.run(frame, pool, scene, out)
            whole.append(time.perf_counter() - start)
            processor.tend()
    tended = stopwatch.take()[0]["tend"]
    known = processor.keeper.report.known if processor.keeper.report is not None else 0.0
    return {
        "frame_ms": round(1000 * median(whole), 2),
        "tend_ms": round(1000 * sum(tended) / len(whole), 3),
        "longest_ms": round(1000 * max(tended), 2),
        "share": round(sum(tended) / sum(whole), 4),
        "known_percent": round(100 * known, 1),
    }


def _time_movements(footage: Footage, rounds: int, frame_ms: float) -> dict[str, dict[str, float]]:
    """Return for each movement of the camera how long it takes to be found, and how well the plate fits then."""
    seen = color.host_to_rgb(footage.frames[0].data, footage.frames[0].fmt)
    size = footage.size.width, footage.size.height
    rgb = np.asarray(cv2.resize(seen, size, interpolation=cv2.INTER_AREA), np.uint8)
    room = _find_room(rgb, footage.plate.rgb)
    side, found = choose_side(*rgb.shape[:2]), {}
    then = View(_shrink(footage.plate.rgb, side), np.ones((size[1] // side * FINE, size[0] // side * FINE), bool))
    for name, by in list_movements(size).items():
        moved = cv2.warpPerspective(rgb, by, size, borderMode=cv2.BORDER_REFLECT_101)
        usable = cv2.warpPerspective(room, by, size)
        now = View(_shrink(np.asarray(moved, np.uint8), side), _shrink(np.asarray(usable, np.uint8), side) == 255)
        movement, seconds = None, []
        for _ in range(rounds):
            start = time.perf_counter()
            movement = find_movement(now, then)
            seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        movement = STILL if movement is None else movement
        warp(footage.plate.rgb, scale_movement(movement, side / FINE))
        warped = time.perf_counter() - start
        found[name] = {
            "find_ms": round(1000 * median(seconds), 2),
            "warp_ms": round(1000 * warped, 2),
            "of_a_frame": round(1000 * median(seconds) / frame_ms, 3),
            "fit_before": round(measure_fit(now, then), 3),
            "fit": round(measure_fit(now, then, movement), 3),
        }
    return found


def _find_room(rgb: Picture, plate: Picture) -> Picture:
    """Return where a frame surely shows the room: 255, else 0, (H,W)."""
    person = (cv2.absdiff(rgb, plate).max(2) > 40).astype(np.uint8)
    return np.asarray(255 * (1 - cv2.dilate(person, np.ones((31, 31), np.uint8))), np.uint8)


def _shrink(part: Picture, side: int) -> Picture:
    rows, columns = part.shape[0] // side, part.shape[1] // side
    whole = part[: rows * side, : columns * side]
    return np.asarray(cv2.resize(whole, (columns * FINE, rows * FINE), interpolation=cv2.INTER_AREA), np.uint8)
