"""The whole measurement, in order. It returns plain values, which `--json` writes.

Everything that computes outside of a pipeline does so in threads that end before the pipelines run, as in the daemon.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch

from camdaemon.capture import Source
from camdaemon.config.schema import Config
from camdaemon.daemon.progress import show_progress
from camdaemon.errors import ConfigError
from camdaemon.frames.picture import quiet_opencv
from camdaemon.linux.threads import run_in_thread
from camdaemon.tools.bench.footage import Footage, load_footage
from camdaemon.tools.bench.measure import name_engine
from camdaemon.tools.bench.runs import TimedProcessor, make_processor, run_pipeline, run_stops
from tests.benchmarks import device, machine, network
from tests.benchmarks.comparison import Comparison, alternate
from tests.benchmarks.floor import Floor
from tests.benchmarks.footage import CameraLike, keep_in_memory
from tests.benchmarks.processor import BaselineMatting, make_baseline
from tests.benchmarks.settings import Settings

Values = dict[str, Any]
_WARM_UP = 3  # frames before the first sample
_PARTS = 3


def measure(settings: Settings) -> Values:
    """Measure the network alone, each stop, and end to end; each in turns with the baseline.

    Raises:
        ConfigError: A setting, the source or the weights cannot be used.
        DeviceError: The source cannot be read.
        MattingError: A frame failed.
    """
    if settings.frames < 2:
        raise ConfigError("a rate needs two frames at least. Run: … --frames 40")
    quiet_opencv()
    busy = machine.warn_if_busy()
    with (
        tempfile.TemporaryDirectory(prefix="camdaemon-bench-") as folder,
        machine.use_threads(settings.threads) as threads,
        show_progress("measuring", _PARTS * 2 * settings.rounds) as tick,
    ):
        config = settings.config(settings.weights_file(Path(folder)))
        footage = load_footage(config)
        daemon, baseline, resident = run_in_thread(lambda: _make_sides(settings, config, footage), "bench")
        matting, pairs, difference = run_in_thread(lambda: _make_networks(config, footage, daemon), "bench")
        found: Values = {
            "machine": machine.describe(daemon.device, threads),
            "busy": busy,
            "subject": describe(settings, footage, daemon),
            "difference": {name: round(value, 4) for name, value in asdict(difference).items()},
            "resident_mb": round(resident / 2**20, 1),
        }
        parts = {
            "network": run_in_thread(lambda: _compare_networks(settings, daemon, matting, pairs, tick), "bench"),
            "stops": run_in_thread(lambda: _compare_stops(settings, footage, daemon, baseline, tick), "bench"),
            "end to end": _compare_pipelines(settings, footage, daemon, baseline, tick),
        }
        found["parts"] = {name: part.summary() for name, part in parts.items()}
        counted = run_in_thread(lambda: network.count(matting, pairs[-1]), "bench")
        if daemon.device == "cuda":
            found["device"] = run_in_thread(lambda: _time_device(settings, footage, daemon, baseline), "bench")
        found["floor"] = run_in_thread(lambda: _find_floor(counted, daemon, parts["network"]), "bench")
        return found


def describe(settings: Settings, footage: Footage, daemon: TimedProcessor) -> Values:
    """Return what was measured, with what the daemon chose where nothing was set."""
    engine, precision = name_engine(daemon).split()
    chosen = {"engine": engine, "precision": precision}
    return asdict(settings) | {"size": str(footage.size), "footage": footage.about} | chosen


def _make_sides(settings: Settings, config: Config, footage: Footage) -> tuple[TimedProcessor, TimedProcessor, int]:
    """Return both sides, warmed up, and the process's memory before the baseline was made, in bytes."""
    daemon = make_processor(config, footage, paced=settings.realtime)
    run_stops(daemon, footage, _WARM_UP)
    resident = machine.resident_bytes()
    baseline = make_baseline(config, footage, daemon, paced=settings.realtime)
    run_stops(baseline, footage, _WARM_UP)
    return daemon, baseline, resident


def _make_networks(
    config: Config, footage: Footage, daemon: TimedProcessor
) -> tuple[BaselineMatting, list[network.Pair], network.Difference]:
    matting, pairs = network.make_baseline_matting(config, footage, daemon), network.upload_pairs(footage, daemon)
    return matting, pairs, network.compare_alphas(daemon, matting, pairs)


def _compare_networks(
    settings: Settings,
    daemon: TimedProcessor,
    baseline: BaselineMatting,
    pairs: list[network.Pair],
    tick: Callable[[], None],
) -> Comparison:
    matting = daemon.processor.engine.matting
    return network.compare(
        lambda src, plate: matting(src, plate, None, 0), baseline, pairs, settings.frames, settings.rounds, tick
    )


def _compare_stops(
    settings: Settings, footage: Footage, daemon: TimedProcessor, baseline: TimedProcessor, tick: Callable[[], None]
) -> Comparison:
    return alternate(
        lambda: run_stops(daemon, footage, settings.frames),
        lambda: run_stops(baseline, footage, settings.frames),
        settings.rounds,
        tick,
    )


def _compare_pipelines(
    settings: Settings, footage: Footage, daemon: TimedProcessor, baseline: TimedProcessor, tick: Callable[[], None]
) -> Comparison:
    played = keep_in_memory(footage) if settings.from_memory else footage

    def open_source() -> Source:
        return CameraLike(played.open()) if settings.realtime else played.open()

    return alternate(
        lambda: run_pipeline(daemon, open_source, settings.frames, drop_late=settings.realtime),
        lambda: run_pipeline(baseline, open_source, settings.frames, drop_late=settings.realtime),
        settings.rounds,
        tick,
    )


def _time_device(settings: Settings, footage: Footage, daemon: TimedProcessor, baseline: TimedProcessor) -> Values:
    """Return the GPU's own time for a frame, from the camera's bytes to the sink's."""
    runs = (lambda: run_stops(daemon, footage, settings.frames), lambda: run_stops(baseline, footage, settings.frames))
    return device.compare(*runs, settings.frames, settings.rounds)


def _find_floor(floor: Floor, daemon: TimedProcessor, part: Comparison) -> Values:
    """Return the counts, the machine's peaks, the time that they allow, and its share of the measured time."""
    dtype = getattr(torch, name_engine(daemon).split()[1])
    macs, bandwidth = machine.measure_macs(daemon.device, dtype), machine.measure_bandwidth(daemon.device)
    least = floor.seconds(macs, bandwidth)
    measured = median(value for run in part.camdaemon for value in run.seconds["matte"])
    return floor.values() | {
        "peak_gmacs_per_s": round(macs / 1e9, 1),
        "peak_gbytes_per_s": round(bandwidth / 1e9, 1),
        "ms": round(1000 * least, 3),
        "share": round(least / measured, 4),
    }
