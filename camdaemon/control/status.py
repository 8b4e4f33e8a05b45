"""What `camdaemon status` says, and the panel shows."""

from __future__ import annotations

import os
import time
from dataclasses import asdict

from camdaemon.config.schema import Config
from camdaemon.control.photographer import Turn
from camdaemon.control.plates import count_parts, describe_plate, name_plate
from camdaemon.control.viewers import describe_view
from camdaemon.frames.frame import Size
from camdaemon.pipeline.threads import Pipeline


def describe(
    pipeline: Pipeline, config: Config, size: Size, uptime_s: float, turn: Turn | None, age_s: float | None
) -> dict[str, object]:
    """Describe the scene, the camera, the sink and the figures of `Metrics.snapshot`, as plain JSON values.

    Any thread. Reads what other threads replace whole by one reference, each once.

    Args:
        pipeline: What is described.
        config: In force.
        size: Of the output.
        uptime_s: Seconds since the start.
        turn: The plate that is being taken, if any.
        age_s: Seconds since the plate in use was taken; None where that is not known.
    """
    last, now = pipeline.state.published.last, time.monotonic()
    view = describe_view(last, now)
    scene, trouble, engine = pipeline.state.scene, pipeline.state.camera.card, pipeline.engine
    return {
        "viewers_see": view.sentence,
        "seen": {
            "state": view.state,
            "badge": view.badge,
            "reason": view.reason,
            "for_s": round(now - last.since, 1),
            "at": round(now, 3),  # monotonic seconds
        },
        "pid": os.getpid(),
        "uptime_s": uptime_s,
        "source": config.source,
        "sink": " ".join(config.sinks),
        "size": str(size),
        "device": engine.device,
        "matting": engine.matting,
        "effort": engine.effort,
        "mode": str(scene.mode),
        "paused": scene.paused,
        "scene": scene.name,
        "scenes": list(config.scenes),
        "backdrop": scene.backdrop.spec,
        "mirror": scene.appearance.mirror,
        "crop": asdict(scene.appearance.crop) if scene.appearance.crop is not None else None,
        "edge": scene.appearance.edge,
        "blur": scene.appearance.blur,
        "taking": None if turn is None else _describe_turn(turn),
        "plate": name_plate(pipeline.processor.keeper.report, scene.plate),
        "plate_note": note_plate(pipeline),
        "plate_parts": count_parts(pipeline.processor.keeper.report, age_s),
        "demand": pipeline.state.camera.reasons(),
        "camera": "ok" if trouble is None else trouble.title.lower(),
        **pipeline.metrics.snapshot(),
    }


def note_plate(pipeline: Pipeline) -> str:
    """Return how the plate in use stands, in a sentence; '' where there is nothing to say of it."""
    processor, given = pipeline.processor, pipeline.state.scene.plate
    needs_plate = pipeline.engine.needs_plate
    return describe_plate(processor.keeper.report, given, processor.plate_health, needs_plate=needs_plate)


def _describe_turn(turn: Turn) -> dict[str, object]:
    """Describe a plate that is being taken: by whom, the seconds of the countdown that are left, what it waits for."""
    progress = turn.job.progress
    by = "camdaemon" if turn.is_automatic else "you"
    return {"by": by, "left_s": round(max(0.0, progress.left_s), 1), "waits_for": progress.waits_for}
