"""The parts of a pipeline, opened and checked as the configuration says; nothing runs yet."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from camdaemon.backdrop import make_backdrop
from camdaemon.capture import Source, open_source
from camdaemon.capture.holding import ControlsHolder
from camdaemon.config.schema import Config
from camdaemon.control.scenes import appearance_of
from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Size
from camdaemon.frames.transfer import Transfer, choose_device, give_memory_back
from camdaemon.linux.threads import run_in_thread
from camdaemon.matting import Matting, MattingSettings, Refinement, make_matting
from camdaemon.output import Sink, open_sink
from camdaemon.output.reopening import ReopeningSink
from camdaemon.output.tee import TeeSink
from camdaemon.pipeline.camera_reader import CameraInput
from camdaemon.pipeline.camera_state import ALWAYS, CameraState
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.governor import Governor
from camdaemon.pipeline.loops import OutputStage
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import FaultLimit, Scene, SharedState
from camdaemon.pipeline.threads import Pipeline
from camdaemon.pipeline.worker import Engine, FrameProcessor
from camdaemon.plate import store
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.take import Plate

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_FAULTS = 3  # a minute that nobody foresaw; with more, the service manager starts us anew


@dataclass(frozen=True, slots=True)
class Playing:
    """How this run goes, which is not configuration. frames: stop after so many camera frames (None: never).

    paced: real time; else as fast as possible, every frame kept.   loop: a clip starts again at its end.
    """

    frames: int | None = None
    paced: bool = True
    loop: bool = True


OpenSink = Callable[[Size, float], Sink]


def build(
    config: Config, playing: Playing, sink_for: OpenSink | None = None, holder: ControlsHolder | None = None
) -> Pipeline:
    """Open and check every part. Raises ConfigError or DeviceError, with nothing left open.

    holder: holds the camera as the saved plate wants it, whenever it is opened.
    """
    with contextlib.ExitStack() as opened:
        device = choose_device(config.device)
        matting = run_in_thread(lambda: make_matting(config.matting, matting_settings(config), device), "engine")

        def reopen() -> Source:
            source = open_source(config.source, config.size, config.fps, loop=playing.loop, paced=playing.paced)
            if source.live and holder is not None:  # a camera that was plugged in again is automatic again
                holder.reapply(_plate_file(config, source))
            return source

        source = reopen()
        opened.callback(source.close)
        size = source.size if config.size is None else config.size
        log.info("camera %s: %s %s at %g fps", source.name, source.fmt, source.size, source.fps)
        backdrop = make_backdrop(config.backdrop, size)
        opened.callback(backdrop.close)
        plate = _plate_at_start(config, source, size)
        metrics = Metrics(paced=playing.paced)
        sink = sink_for(size, source.fps) if sink_for else _sinks(config, playing, size, source.fps, metrics)
        opened.callback(sink.close)
        if not playing.paced and (source.live or sink.live):
            raise ConfigError("--fast is for a clip that goes into a file; leave it out, or use --sink out.mp4")
        engines = Engines(config, size, metrics, 1 / source.fps if source.live or playing.paced else None)
        engine = run_in_thread(lambda: engines.first(device, matting), "engine")
        card_cache, preview = CardCache(sink.fmt, size), LivePreview()
        waits = (config.repeat_s, config.stale_after_s) if playing.paced else (None, math.inf)
        on_demand = config.on_demand and source.live and sink.viewers
        camera_state = CameraState() if on_demand else CameraState(ALWAYS)
        fault_limit = FaultLimit(_FAULTS if sink.live else 0)
        pipeline = Pipeline(
            camera=CameraInput(source, reopen, playing.frames),
            processor=FrameProcessor(engine, card_cache, metrics, preview, engines.another),
            stage=OutputStage(sink, card_cache, preview, *waits),
            state=SharedState(
                Scene(backdrop, plate, appearance=appearance_of(config), max_coverage=config.max_coverage),
                camera=camera_state,
                fault_limit=fault_limit,
            ),
            metrics=metrics,
            keep_all=not playing.paced,
        )
        opened.pop_all()
        return pipeline


@dataclass(slots=True)
class Engines:
    """Makes what lives on the accelerator, again after it failed: once more on the same device, then on the CPU."""

    config: Config
    size: Size
    metrics: Metrics
    period_s: float | None = None  # between two frames of the camera; None: no deadline, frames are waited for
    _left: list[str] = field(default_factory=list)  # where to try when the present one fails

    def first(self, device: torch.device, matting: Matting) -> Engine:
        """Of the matting that is made already, warmed up."""
        self._left = [device.type, "cpu"] if device.type != "cpu" else []
        return self._engine(device, matting)

    def another(self) -> Engine | None:
        """For the worker thread: a new one; None when there is nothing left to try."""
        while self._left:
            name = self._left.pop(0)
            log.warning("the accelerator failed; beginning anew on %s", name)
            try:
                device = choose_device(name)
                give_memory_back(device)
                return self._engine(device, make_matting(self.config.matting, matting_settings(self.config), device))
            except (CamdaemonError, RuntimeError) as exc:
                log.warning("not on %s: %s", name, exc)
        return None

    def _engine(self, device: torch.device, matting: Matting) -> Engine:
        matting.warm_up(self.size)
        transfer = Transfer(device, self.size)
        matcher = PlateMatcher(transfer.upload_picture, enabled=self.config.match_exposure)
        compositor = Compositor(transfer.upload_picture, self.metrics)
        governor = None
        if self.config.governor and self.period_s is not None:
            governor = Governor(self.period_s, matting.ladder)
        return Engine(transfer, matting, matcher, compositor, governor)


def matting_settings(config: Config) -> MattingSettings:
    """Return what the configuration says of the matting, as values."""
    return MattingSettings(config.weights, config.engine, config.precision, Refinement(**dict(config.refine)))


def _sinks(config: Config, playing: Playing, size: Size, fps: float, metrics: Metrics) -> Sink:
    """Every sink, as one. A virtual camera that is lost while it runs is reopened."""
    with contextlib.ExitStack() as opened:
        found: list[Sink] = []
        for spec in config.sinks:
            again = partial(open_sink, spec, size, fps, paced=playing.paced)
            sink = again()
            opened.callback(sink.close)
            found.append(ReopeningSink(sink, again, metrics.count) if sink.can_reopen else sink)
        opened.pop_all()
    return found[0] if len(found) == 1 else TeeSink(found)


def _plate_file(config: Config, source: Source) -> Path:
    if config.plate in ("auto", "saved"):
        return store.path_for(source.name, config.size or source.size)
    return Path(config.plate).expanduser()


def _plate_at_start(config: Config, source: Source, size: Size) -> Plate | None:
    if config.plate not in ("auto", "saved"):
        return Plate(store.load_file(Path(config.plate).expanduser(), size))
    saved = store.load_saved(source.name, size) if source.live else None
    return Plate(saved) if saved is not None else None
