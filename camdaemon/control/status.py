"""What `camdaemon status` says, and the panel shows."""

from __future__ import annotations

import os
from dataclasses import asdict

from camdaemon.config.schema import Config
from camdaemon.frames.frame import Size
from camdaemon.pipeline.threads import Pipeline


def describe(pipeline: Pipeline, config: Config, size: Size, uptime_s: float, *, taking: bool) -> dict[str, object]:
    """Describe the scene, the camera, the sink and the figures of `Metrics.snapshot`, as plain JSON values.

    Any thread. Reads what other threads replace whole by one reference, each once.
    """
    scene, trouble, engine = pipeline.state.scene, pipeline.state.camera.card, pipeline.engine
    return {
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
        "taking": taking,
        "plate": "taken" if scene.plate is not None else "missing",
        "demand": pipeline.state.camera.reasons(),
        "camera": "ok" if trouble is None else trouble.title.lower(),
        **pipeline.metrics.snapshot(),
    }
