"""Build a pipeline from the configuration: open and check its parts. The one place that turns options into values."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from camdaemon.backdrop import Backdrop
from camdaemon.capture import Source, open_source
from camdaemon.capture.holding import ControlsHolder
from camdaemon.config.choices import Choices
from camdaemon.config.schema import Config
from camdaemon.control.scenes import appearance_of
from camdaemon.daemon.check import check_parts
from camdaemon.daemon.plates import find_controls, load_places
from camdaemon.daemon.restore import restore_backdrop
from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames.appearance import Appearance
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import CAMERA_SIZE, Size
from camdaemon.frames.transfer import Transfer, choose_device, release_memory
from camdaemon.linux.folders import expand_home
from camdaemon.linux.threads import run_in_thread
from camdaemon.matting import Matting, MattingSettings, Purpose, Refinement, make_matting, require_no_plate
from camdaemon.output import Sink, find_sink, open_sink
from camdaemon.output.file import FileSink
from camdaemon.output.film import Film
from camdaemon.output.reopening import ReopeningSink
from camdaemon.output.sound import open_sound
from camdaemon.output.tee import TeeSink
from camdaemon.pipeline.camera_reader import CameraInput
from camdaemon.pipeline.camera_state import ALWAYS, CameraState
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.engine import Engine
from camdaemon.pipeline.governor import Governor
from camdaemon.pipeline.look_ahead import share_processors
from camdaemon.pipeline.loops import OutputStage
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import FaultLimit, Mode, Scene, SharedState
from camdaemon.pipeline.threads import Pipeline
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.plate.gate import PlateGate
from camdaemon.plate.keeper import PlateKeeper
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.store import Place

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_MAX_FAULTS = 3  # unexpected exceptions tolerated per minute; with more, the service manager restarts us

OpenSink = Callable[[Size, float], Sink]  # size, fps → an open sink


@dataclass(frozen=True, slots=True)
class Playing:
    """How this run goes, which is not configuration."""

    frames: int | None = None  # camera frames until the end; None: no limit
    paced: bool = True  # in real time; else as fast as possible, with every frame kept
    loop: bool = True  # a clip starts again at its end


def build(
    config: Config,
    playing: Playing,
    sink_for: OpenSink | None = None,
    holder: ControlsHolder | None = None,
    choices: Choices | None = None,
) -> Pipeline:
    """Open and check every part of a pipeline; nothing runs yet.

    Args:
        config: Of this run.
        playing: How a clip plays, and for how long.
        sink_for: Opens the sink instead of those of `config`.
        holder: Holds the camera as the plate in use needs it, whenever the camera is opened.
        choices: What was chosen in earlier runs. A card that was on is on from the first frame.

    Raises:
        ConfigError: An option, a file or a combination of them is wrong. Nothing is left open.
        DeviceError: A camera or virtual camera cannot be opened. Nothing is left open.
    """
    check_parts(config)
    with contextlib.ExitStack() as opened:
        device = choose_device(config.device)
        camera = _open_camera(config, playing, holder)
        source = camera.first
        opened.callback(source.close)
        size = _choose_size(config, source)
        log.info("camera %s: %s %s at %g fps", source.name, source.fmt, source.size, source.fps)
        if size != source.size:
            log.info("frame size: %s, scaled from the source's %s (another: --size WIDTHxHEIGHT)", size, source.size)
        chosen = choices or Choices()
        backdrop, look = restore_backdrop(config, chosen, size, paced=playing.paced)
        opened.callback(backdrop.close)
        places = load_places(config, source, size)
        metrics = Metrics(paced=playing.paced)
        sink = sink_for(size, source.fps) if sink_for else _open_sinks(config, playing, size, source.fps, metrics)
        opened.callback(sink.close)
        if not playing.paced and (source.live or sink.live):
            raise ConfigError("--fast is for a clip that goes into a file; leave it out, or use --sink out.mp4")
        # after everything that can be wrong: it takes seconds
        purpose = _find_purpose(config, has_plate=bool(places), is_live=source.live)
        matting = run_in_thread(lambda: _make_live_matting(config, device, purpose), "engine")
        period_s = 1 / source.fps if source.live or playing.paced else None
        engines = Engines(config, size, metrics, period_s, is_live=source.live, purpose=purpose)
        engine = run_in_thread(lambda: engines.make_first(device, matting), "engine")
        card_cache, preview = CardCache(sink.fmt, size), LivePreview()
        repeat_s, stale_after_s = (config.repeat_s, config.stale_after_s) if playing.paced else (None, math.inf)
        scene = _make_scene(config, chosen, backdrop, appearance_of(look), places)
        on_demand = config.on_demand and source.live and sink.viewers
        keeper = PlateKeeper(grows=config.grow)
        pipeline = Pipeline(
            camera=camera,
            processor=FrameProcessor(engine, card_cache, metrics, preview, engines.make_next, keeper=keeper),
            stage=OutputStage(sink, card_cache, preview, repeat_s, stale_after_s, _watch_loss(sink)),
            state=SharedState(
                scene,
                camera=CameraState() if on_demand else CameraState(ALWAYS),
                fault_limit=FaultLimit(_MAX_FAULTS if sink.live else 0),
                places=tuple(places) if source.live else (),
            ),
            metrics=metrics,
            keep_all=not playing.paced,
        )
        opened.pop_all()
        return pipeline


@dataclass(slots=True)
class Engines:
    """Makes everything that lives on the accelerator, and makes it again after it failed.

    Attributes:
        config: Of this run.
        size: Of the published frames.
        metrics: Told the time of the compositor's steps.
        period_s: Seconds between two frames of the camera; None: no deadline, and no governor.
        is_live: Whether the frames come from a camera, not from a file.
        purpose: What mattes are for in this run.
    """

    config: Config
    size: Size
    metrics: Metrics
    period_s: float | None = None
    is_live: bool = False
    purpose: Purpose = "live"
    _devices_left: list[str] = field(default_factory=list)  # to try when the present one fails

    def make_first(self, device: torch.device, matting: Matting) -> Engine:
        """Make the engine of the run from `matting`, which is on `device`, and warm it up."""
        self._devices_left = [device.type, "cpu"] if device.type != "cpu" else []
        return self._make(device, matting)

    def make_next(self) -> Engine | None:
        """Make another engine: once on the same device, then on the CPU. For the worker thread.

        Returns:
            The engine; None when no device is left to try.
        """
        while self._devices_left:
            name = self._devices_left.pop(0)
            log.warning("engine failed: rebuilding it on %s", name)
            try:
                device = choose_device(name)
                release_memory(device)
                return self._make(device, _make_live_matting(self.config, device, self.purpose))
            except (CamdaemonError, RuntimeError) as exc:
                log.warning("engine not rebuilt on %s: %s", name, exc)
        return None

    def _make(self, device: torch.device, matting: Matting) -> Engine:
        matting.warm_up(self.size)
        transfer = Transfer(device, self.size)
        matcher = PlateMatcher(transfer.upload_picture, enabled=self.config.match_exposure)
        compositor = Compositor(transfer.upload_picture, self.metrics)
        governor = None
        if self.config.governor and self.period_s is not None:
            governor = Governor(self.period_s, matting.ladder)
        needs_plate = self.config.without_plate == "card" and self.config.plate != "none"
        gate = PlateGate(is_live=self.is_live, doubts=matting.doubts, needs_plate=needs_plate)
        return Engine(transfer, matting, matcher, compositor, governor, gate)


def _find_purpose(config: Config, *, has_plate: bool, is_live: bool) -> Purpose:
    """Return what mattes are for in this run, which decides once for all of it which weights are the default."""
    may_begin_without = is_live and config.plate == "saved" and config.without_plate == "matte"
    return "without_plate" if config.plate == "none" or (not has_plate and may_begin_without) else "live"


def _make_scene(
    config: Config, chosen: Choices, backdrop: Backdrop, appearance: Appearance, places: list[Place]
) -> Scene:
    """Return the scene of the first frame."""
    plates = [place.plate for place in places]
    return Scene(
        backdrop,
        plates[0] if plates else None,
        others=tuple(plates[1:]),
        mode=Mode.CARD if chosen.card else Mode.MATTE,
        appearance=appearance,
        name=chosen.scene,
        max_coverage=config.max_coverage,
    )


def _make_live_matting(config: Config, device: torch.device, purpose: Purpose) -> Matting:
    """Make the daemon's matting. Raises ConfigError as `make_matting`, or if it should need no plate and does."""
    if device.type == "cpu":
        share_processors()
    matting = make_matting(config.matting, matting_settings(config, purpose), device)
    if config.plate == "none":
        require_no_plate(matting)
    return matting


def matting_settings(config: Config, purpose: Purpose = "live") -> MattingSettings:
    """Return what the configuration says of a matting for `purpose`, as values."""
    refinement = Refinement(**dict(config.refine))
    return MattingSettings(config.weights, config.engine, config.precision, refinement, purpose)


def _open_camera(config: Config, playing: Playing, holder: ControlsHolder | None) -> CameraInput:
    """Open the source, and say how to open it again."""

    def reopen() -> Source:
        source = open_source(config.source, config.size, config.fps, loop=playing.loop, paced=playing.paced)
        if source.live and holder is not None:  # a camera that was plugged in again is automatic again
            holder.reapply(find_controls(config, source, _choose_size(config, source)))
        return source

    first = reopen()
    count: int | None = getattr(first, "count", None)  # a clip's; a camera has none
    limits = [limit for limit in (playing.frames, count) if limit is not None]
    return CameraInput(first, reopen, playing.frames, min(limits, default=None))


def _open_sinks(config: Config, playing: Playing, size: Size, fps: float, metrics: Metrics) -> Sink:
    """Open every sink, as one. A sink that can be reopened is, when it is lost while the daemon runs."""
    with contextlib.ExitStack() as opened:
        found: list[Sink] = []
        keeps_sound = not playing.paced and not playing.loop
        for spec in config.sinks:
            reopen = partial(open_sink, spec, size, fps, paced=playing.paced)
            sink = _open_film(spec, size, fps, config) if keeps_sound and find_sink(spec) is FileSink else reopen()
            opened.callback(sink.close)
            found.append(ReopeningSink(sink, reopen, metrics.count) if sink.can_reopen else sink)
        opened.pop_all()
    return found[0] if len(found) == 1 else TeeSink(found)


def _choose_size(config: Config, source: Source) -> Size:
    """Return the size of the frames: as configured, else a clip's own, and at most CAMERA_SIZE for a camera."""
    if config.size is not None or not source.live:
        return config.size or source.size
    return CAMERA_SIZE.limit(source.size.width, source.size.height)


def _open_film(spec: str, size: Size, fps: float, config: Config) -> FileSink:
    """Open a file that gets every frame of a clip, with the clip's sound if it has any."""
    clip, path = expand_home(config.source), expand_home(spec)
    sound = open_sound(clip, path, lambda why: log.warning("%s", why)) if clip.is_file() else None
    return FileSink(Film(path, size, fps, sound=sound), size, paced=False)


def _watch_loss(sink: Sink) -> Callable[[], bool]:
    """Return what says whether `sink`, or one of those that it writes to, is lost at the moment."""
    parts = sink.sinks if isinstance(sink, TeeSink) else (sink,)
    may_be_lost = [part for part in parts if isinstance(part, ReopeningSink)]
    return lambda: any(part.is_lost for part in may_be_lost)
