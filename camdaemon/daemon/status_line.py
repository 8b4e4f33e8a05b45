"""One line in the terminal with the figures of the running pipeline."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from rich.live import Live
from rich.text import Text

from camdaemon.control.viewers import describe_view
from camdaemon.daemon.progress import console, show_bar
from camdaemon.pipeline.threads import Pipeline

STEPS = ("upload", "plate", "matte", "gate", "backdrop", "composite", "check", "download", "write", "tend")
log = logging.getLogger(__name__)


@contextlib.contextmanager
def show_status_line(pipeline: Pipeline) -> Iterator[Callable[[], None]]:
    """Show the line inside the context; where stderr is no terminal, log it once at the end.

    A clip that goes into a file at full speed has an end to wait for, so it gets a progress bar instead.

    Yields:
        A function that brings the line up to date, to be called a few times a second.
    """
    if not console.is_terminal:
        yield lambda: None
        log.info("%s", render(pipeline).plain)
        return
    if pipeline.keep_all:
        with show_bar("frames", pipeline.camera.total) as update:
            yield lambda: update(pipeline.metrics.captured())
        console.print(render(pipeline))
        return
    with Live(render(pipeline), console=console, auto_refresh=False) as live:
        yield lambda: live.update(render(pipeline), refresh=True)
        live.update(render(pipeline), refresh=True)


def render(pipeline: Pipeline) -> Text:
    """Render fps in and out, drops, ms of each step, and the latency from camera to sink, as one line."""
    figures: dict[str, Any] = pipeline.metrics.snapshot()
    counts, steps, latency = figures["counts"], figures["steps_ms"], figures["latency_ms"]
    view = describe_view(pipeline.state.published.last)
    parts = [
        f"{view.badge:<5} in {figures['fps_in']:4.1f} out {figures['fps_out']:4.1f} fps",
        f"{counts.get('dropped', 0)} dropped",
        "ms " + " ".join(f"{name} {steps[name]:.0f}" for name in STEPS if name in steps),
    ]
    if latency:
        parts.append(f"latency p50 {latency['p50']:.0f} p99 {latency['p99']:.0f} ms")
    engine = pipeline.engine
    if engine.is_reduced:
        parts.append(engine.effort)
    if counts.get("matting_errors"):
        parts.append(f"{counts['matting_errors']} without a matte")
    if view.reason:
        parts.append(view.reason)
    return Text(" | ".join(parts))
