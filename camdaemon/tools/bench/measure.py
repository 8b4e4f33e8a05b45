"""The measurement of `camdaemon bench` and its tables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table

from camdaemon.config.schema import Config
from camdaemon.daemon.progress import show_progress
from camdaemon.frames.picture import quiet_opencv
from camdaemon.frames.transfer import choose_device
from camdaemon.linux.threads import run_in_thread, share_processors
from camdaemon.tools.bench.footage import Footage, load_footage
from camdaemon.tools.bench.runs import TimedProcessor, make_processor, run_pipeline, run_stops
from camdaemon.tools.bench.stopwatch import summarize

_WARM_UP = 3  # frames before the first sample
_TITLES = {"stops": "Each stop, one after the other", "end to end": "End to end"}


def measure(config: Config, frames: int, threads: int | None = None) -> dict[str, Any]:
    """Run each stop by itself and the whole pipeline, `frames` frames each.

    Everything that computes outside of the pipeline does so in a thread that ends before it starts, as in the daemon.

    Args:
        config: Of the run.
        frames: Number of frames.
        threads: With which the network runs on a CPU; None: as in the daemon.

    Returns:
        Plain values: `about` (what was measured) and `parts` (the figures of either run, see `stopwatch.summarize`).

    Raises:
        ConfigError: Source, plate or weights cannot be used.
        DeviceError: The source cannot be read.
        MattingError: A frame failed.
    """
    quiet_opencv()
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    elif choose_device(config.device) == "cpu":
        share_processors()
    with show_progress("measuring", 2) as tick:
        footage = load_footage(config)
        timed, stops = run_in_thread(lambda: _measure_stops(config, footage, frames), "bench")
        tick()
        whole = run_pipeline(timed, footage.open, frames)
        tick()
    about = f"{footage.size}, weights {config.weights}, {name_engine(timed)}; {footage.about}"
    return {"about": about, "parts": {"stops": summarize([stops]), "end to end": summarize([whole])}}


def _measure_stops(config: Config, footage: Footage, frames: int) -> tuple[TimedProcessor, Any]:
    timed = make_processor(config, footage)
    run_stops(timed, footage, _WARM_UP)
    return timed, run_stops(timed, footage, frames)


def name_engine(timed: TimedProcessor) -> str:
    """Return what runs the network and its number format: 'torch float16', for instance."""
    matting = timed.processor.engine.matting
    return getattr(matting, "engine", matting.name)


def make_tables(found: dict[str, Any]) -> Iterator[Table]:
    """Return a table for each part of what `measure` found, for a terminal of 80 columns."""
    for name, part in found["parts"].items():
        table = Table(title=_TITLES[name], title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("ms")
        for heading in ("p50", "p95", "p99"):
            table.add_column(heading, justify="right")
        for stop, ms in part["ms"].items():
            table.add_row(stop, *(f"{value:.2f}" for value in ms.values()))
        table.add_section()
        table.add_row("fps", f"{part['fps']:.1f}")
        table.add_row("CPU %", f"{part['cpu_percent']:.0f}")
        if part["gpu_memory_mb"]:
            table.add_row("GPU MB", f"{part['gpu_memory_mb']:.0f}")
        yield table
