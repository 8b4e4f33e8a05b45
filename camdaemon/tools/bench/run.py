"""The whole measurement, in order; what it gives are plain values, as `--json` writes them.

What computes outside of a pipeline does so in threads that end before the pipelines run, as in the daemon.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch

from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames.picture import quiet_opencv
from camdaemon.linux.threads import run_in_thread
from camdaemon.tools.bench import device, machine, network
from camdaemon.tools.bench.floor import Floor
from camdaemon.tools.bench.footage import Footage, from_memory, load
from camdaemon.tools.bench.pipeline import run_pipeline
from camdaemon.tools.bench.sides import PlainMatting, Side, plain_side, real_side
from camdaemon.tools.bench.stops import run_stops
from camdaemon.tools.bench.subject import Subject
from camdaemon.tools.bench.timing import Comparison, alternate
from camdaemon.tools.files.progress import show_progress

Values = dict[str, Any]
_WARM = 3  # frames before anything is counted
_PARTS = 3


def measure(subject: Subject) -> Values:
    """Network alone, each stop, end to end; both in turn. Raises ConfigError, DeviceError or MattingError."""
    if subject.frames < 2:
        raise ConfigError("a rate needs two frames at least; try --frames 40")
    quiet_opencv()
    busy = machine.busy()
    with (
        tempfile.TemporaryDirectory(prefix="camdaemon-bench-") as folder,
        machine.threads(subject.threads) as threads,
        show_progress("measuring", _PARTS * 2 * subject.rounds) as tick,
    ):
        config = subject.config(subject.weights_file(Path(folder)))
        footage = load(config)
        real, plain, resident = run_in_thread(lambda: _sides(subject, config, footage), "bench")
        matting, pairs, difference = run_in_thread(lambda: _networks(config, footage, real), "bench")
        found: Values = {
            "machine": machine.facts(real.device, threads),
            "busy": busy,
            "subject": _said(subject, footage, real),
            "difference": {name: round(value, 4) for name, value in asdict(difference).items()},
            "resident_mb": round(resident / 2**20, 1),
        }
        real_matting = real.processor.engine.matting
        parts = {
            "network": run_in_thread(
                lambda: network.compare(
                    lambda src, plate: real_matting(src, plate, 0), matting, pairs, subject.frames, subject.rounds, tick
                ),
                "bench",
            ),
            "stops": run_in_thread(lambda: _stops(subject, footage, real, plain, tick), "bench"),
            "end to end": _end_to_end(
                subject, from_memory(footage) if subject.from_memory else footage, real, plain, tick
            ),
        }
        found["parts"] = {name: part.summary() for name, part in parts.items()}
        counted = run_in_thread(lambda: network.count(matting, pairs[-1]), "bench")
        if real.device.type == "cuda":
            found["device"] = run_in_thread(lambda: _device(subject, footage, real, plain), "bench")
        found["floor"] = run_in_thread(lambda: _floor(counted, real, parts["network"]), "bench")
        return found


def _sides(subject: Subject, config: Config, footage: Footage) -> tuple[Side, Side, int]:
    """The real and the plain one, warmed up, and what the process took before anything plain, in bytes."""
    real = real_side(config, footage, paced=subject.realtime)
    run_stops(real, footage, _WARM)
    resident = machine.resident()
    plain = plain_side(config, footage, real, paced=subject.realtime)
    run_stops(plain, footage, _WARM)
    return real, plain, resident


def _networks(
    config: Config, footage: Footage, real: Side
) -> tuple[PlainMatting, list[network.Pair], network.Difference]:
    matting, pairs = network.plain_matting(config, footage, real), network.pairs_of(footage, real)
    return matting, pairs, network.difference(real, matting, pairs)


def _stops(subject: Subject, footage: Footage, real: Side, plain: Side, tick: Callable[[], None]) -> Comparison:
    return alternate(
        lambda: run_stops(real, footage, subject.frames),
        lambda: run_stops(plain, footage, subject.frames),
        subject.rounds,
        tick,
    )


def _end_to_end(subject: Subject, footage: Footage, real: Side, plain: Side, tick: Callable[[], None]) -> Comparison:
    return alternate(
        lambda: run_pipeline(real, footage, subject.frames, realtime=subject.realtime),
        lambda: run_pipeline(plain, footage, subject.frames, realtime=subject.realtime),
        subject.rounds,
        tick,
    )


def _device(subject: Subject, footage: Footage, real: Side, plain: Side) -> Values:
    """The GPU's own time for the journey of a frame, from the camera's bytes to the sink's."""
    runs = (lambda: run_stops(real, footage, subject.frames), lambda: run_stops(plain, footage, subject.frames))
    return device.compare(*runs, subject.frames, subject.rounds)


def _said(subject: Subject, footage: Footage, real: Side) -> Values:
    """What was measured, with what the daemon chose where nothing was asked for."""
    engine, precision = network.running(real).split()
    chosen = {"engine": engine, "precision": precision}
    return asdict(subject) | {"size": str(footage.size), "footage": footage.about} | chosen


def _floor(floor: Floor, real: Side, part: Comparison) -> Values:
    """The counts, the machine's peaks, the time that they allow, and the share of the measured time that this is."""
    dtype = getattr(torch, network.running(real).split()[1])
    macs, moved = machine.peak_macs(real.device, dtype), machine.peak_bytes(real.device)
    least = floor.seconds(macs, moved)
    took = median(value for run in part.real for value in run.seconds["matte"])
    return floor.facts() | {
        "peak_gmacs_per_s": round(macs / 1e9, 1),
        "peak_gbytes_per_s": round(moved / 1e9, 1),
        "ms": round(1000 * least, 3),
        "share": round(least / took, 4),
    }
