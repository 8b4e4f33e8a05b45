"""Build a pipeline from the configuration and what is open. The one place that turns options into values."""

from __future__ import annotations

import contextlib
import logging
import math
from dataclasses import dataclass, field

from camdaemon.backdrop import Backdrop
from camdaemon.config.choices import Choices
from camdaemon.config.schema import Config
from camdaemon.control.scenes import appearance_of
from camdaemon.daemon.opening import Ends, Playing, watch_loss
from camdaemon.daemon.plates import load_places
from camdaemon.daemon.restore import restore_backdrop
from camdaemon.errors import CamdaemonError
from camdaemon.frames.appearance import Appearance
from camdaemon.frames.frame import Size
from camdaemon.frames.transfer import Device, choose_device, open_transfer
from camdaemon.linux.threads import begin_in_thread, run_in_thread, share_processors
from camdaemon.matting import Matting, MattingSettings, Purpose, Refinement, make_matting, require_no_plate
from camdaemon.pipeline.camera_state import ALWAYS, CameraState
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.engine import Engine
from camdaemon.pipeline.governor import Governor
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

log = logging.getLogger(__name__)

_MAX_FAULTS = 3  # unexpected exceptions tolerated per minute; with more, the service manager restarts us


def build(config: Config, playing: Playing, ends: Ends, choices: Choices | None = None) -> Pipeline:
    """Make the pipeline between camera and sinks that are open, and check the rest; nothing runs yet.

    Args:
        config: Of this run.
        playing: How a clip plays, and for how long.
        ends: Camera and sinks; they are the pipeline's from now on, or the caller's if this raises.
        choices: What was chosen in earlier runs. A card that was on is on from the first frame.

    Raises:
        ConfigError: An option, a file or a combination of them is wrong.
    """
    source, size, sink = ends.camera.first, ends.size, ends.sink
    chosen = choices or Choices()
    backdrop, look = restore_backdrop(config, chosen, size, paced=playing.paced)
    with contextlib.ExitStack() as opened:
        opened.callback(backdrop.close)
        places = load_places(config, source, size)
        # after everything that can be wrong: it takes a second
        device = choose_device(config.device)
        purpose = _find_purpose(config, has_plate=bool(places), is_live=source.live)
        period_s = 1 / source.fps if source.live or playing.paced else None
        engines = Engines(config, size, ends.metrics, period_s, is_live=source.live, purpose=purpose)
        matting = run_in_thread(lambda: _make_live_matting(config, device, purpose), "engine")
        finish = begin_in_thread(lambda: engines.make_first(device, matting), "engine")
        import camdaemon.daemon.surfaces  # noqa: F401 -- is needed next, and loads while the network is compiled

        engine = finish()
        preview, keeper = LivePreview(), PlateKeeper(grows=config.grow)
        repeat_s, stale_after_s = (config.repeat_s, config.stale_after_s) if playing.paced else (None, math.inf)
        scene = _make_scene(config, chosen, backdrop, appearance_of(look), places)
        on_demand = config.on_demand and source.live and sink.viewers
        pipeline = Pipeline(
            camera=ends.camera,
            processor=FrameProcessor(engine, ends.card_cache, ends.metrics, preview, engines.make_next, keeper=keeper),
            stage=OutputStage(sink, ends.card_cache, preview, repeat_s, stale_after_s, watch_loss(sink)),
            state=SharedState(
                scene,
                camera=CameraState() if on_demand else CameraState(ALWAYS),
                fault_limit=FaultLimit(_MAX_FAULTS if sink.live else 0),
                places=tuple(places) if source.live else (),
            ),
            metrics=ends.metrics,
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
    _devices_left: list[Device] = field(default_factory=list)  # to try when the present one fails

    def make_first(self, device: Device, matting: Matting) -> Engine:
        """Make the engine of the run from `matting`, which is on `device`, and warm it up. Raises MattingError."""
        self._devices_left = [device, "cpu"] if device != "cpu" else []
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
                open_transfer(device, self.size).release_memory()
                return self._make(device, _make_live_matting(self.config, device, self.purpose))
            except (CamdaemonError, RuntimeError) as exc:
                log.warning("engine not rebuilt on %s: %s", name, exc)
        return None

    def _make(self, device: Device, matting: Matting) -> Engine:
        matting.warm_up(self.size)
        transfer = open_transfer(device, self.size)
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


def _make_live_matting(config: Config, device: Device, purpose: Purpose) -> Matting:
    """Make the daemon's matting. Raises ConfigError as `make_matting`, or if it should need no plate and does."""
    if device == "cpu":
        share_processors()
    matting = make_matting(config.matting, matting_settings(config, purpose), device)
    if config.plate == "none":
        require_no_plate(matting)
    return matting


def matting_settings(config: Config, purpose: Purpose = "live") -> MattingSettings:
    """Return what the configuration says of a matting for `purpose`, as values."""
    refinement = Refinement(**dict(config.refine))
    return MattingSettings(config.weights, config.engine, config.precision, refinement, purpose)
