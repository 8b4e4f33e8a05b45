"""The daemon: parts → pipeline → controls, and back in reversed order. Signals, readiness, exit codes."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from camdaemon import picture, plate_store, signals
from camdaemon.backdrop import make_backdrop
from camdaemon.capture import Source, open_source
from camdaemon.config import Config
from camdaemon.control.actions import Performer
from camdaemon.control.commands import Commands
from camdaemon.control.lock import DaemonLock, socket_path
from camdaemon.control.notify import ServiceManager
from camdaemon.control.scenes import style_of
from camdaemon.controls import controlled, invite
from camdaemon.deck import Deck
from camdaemon.errors import ConfigError
from camdaemon.frame import Size
from camdaemon.journey import Journey
from camdaemon.matting import make_matting
from camdaemon.metrics import Metrics
from camdaemon.output import Sink, open_sink
from camdaemon.painter import Painter
from camdaemon.pipeline import Camera, Pipeline, Stage
from camdaemon.plate import Plate, PlateMatcher
from camdaemon.show import Scene, Show
from camdaemon.status_line import status_line
from camdaemon.transfer import Transfer, choose_device
from camdaemon.viewfinder import Viewfinder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Playing:
    """How this run goes, which is not configuration. frames: stop after so many camera frames (None: never).

    paced: real time; else as fast as possible, every frame kept.   loop: a clip starts again at its end.
    """

    frames: int | None = None
    paced: bool = True
    loop: bool = True


OpenSink = Callable[[Size, float], Sink]


def build(config: Config, playing: Playing, sink_for: OpenSink | None = None) -> Pipeline:
    """Open and check every part; nothing runs yet. Raises ConfigError or DeviceError, with nothing left open."""
    with contextlib.ExitStack() as opened:
        device = choose_device(config.device)
        matting = make_matting(config, device)

        def reopen() -> Source:
            return open_source(config, loop=playing.loop, paced=playing.paced)

        source = reopen()
        opened.callback(source.close)
        size = source.size if config.size is None else config.size
        log.info("camera %s: %s %s at %g fps", source.name, source.fmt, source.size, source.fps)
        backdrop = make_backdrop(config.backdrop, size)
        opened.callback(backdrop.close)
        plate = _plate_at_start(config, source, size)
        sink = sink_for(size, source.fps) if sink_for else open_sink(config.sink, size, source.fps, paced=playing.paced)
        opened.callback(sink.close)
        if not playing.paced and (source.live or sink.live):
            raise ConfigError("--fast is for a clip that goes into a file; leave it out, or use --sink out.mp4")
        matting.warm_up(size)
        metrics, deck, transfer = Metrics(paced=playing.paced), Deck(sink.fmt, size), Transfer(device, size)
        matcher = PlateMatcher(transfer.upload_picture, enabled=config.match_exposure)
        waits = (config.repeat_s, config.stale_after_s) if playing.paced else (None, math.inf)
        painter, viewfinder = Painter(transfer.upload_picture, metrics), Viewfinder()
        pipeline = Pipeline(
            camera=Camera(source, reopen, playing.frames),
            journey=Journey(transfer, matting, matcher, painter, deck, metrics, viewfinder, config.max_coverage),
            stage=Stage(sink, deck, viewfinder, *waits),
            show=Show(Scene(backdrop, plate, style=style_of(config))),
            metrics=metrics,
            keep_all=not playing.paced,
        )
        opened.pop_all()
        return pipeline


def _plate_at_start(config: Config, source: Source, size: Size) -> Plate | None:
    if config.plate not in ("auto", "saved"):
        return Plate(plate_store.load_file(Path(config.plate).expanduser(), size))
    saved = plate_store.load_saved(source.name, size) if source.live else None
    return Plate(saved) if saved is not None else None


Reread = Callable[[], Config]  # loads the configuration once more, as this run was started


@contextlib.contextmanager
def running(
    config: Config,
    playing: Playing,
    sink_for: OpenSink | None = None,
    stop: threading.Event | None = None,
    socket: Path | None = None,
    reread: Reread | None = None,
) -> Iterator[tuple[Pipeline, Commands, Performer]]:
    """The daemon while it runs: `with running(...) as (pipeline, commands, performer)`, from the main thread.

    Entered once the first frame (the card) is published and commands are answered. Leaving it stops everything in
    reversed order and raises what a thread died of. `stop` is set when somebody asks the daemon to stop.
    """
    stop = stop or threading.Event()
    picture.quiet_opencv()
    socket = socket or socket_path()
    with contextlib.ExitStack() as undo:
        undo.enter_context(DaemonLock(socket))
        pipeline = build(config, playing, sink_for)
        source = pipeline.camera.first
        undo.callback(_close_backdrop, pipeline.show)
        camera = source.name if source.live else None
        commands = Commands(pipeline, config, pipeline.stage.sink.size, camera, stop.set, reread)
        pipeline.start()
        undo.callback(pipeline.stop)
        performer = undo.enter_context(controlled(pipeline, commands, config, socket))
        while not pipeline.show.first_published.wait(0.1) and not pipeline.ended.is_set():
            pass
        if pipeline.show.scene.plate is None and (config.plate == "auto" or not source.live):
            threading.Thread(target=commands.plate_by_itself, name="plate", daemon=True).start()
        elif pipeline.show.scene.plate is None:
            invite(config)
        yield pipeline, commands, performer


def _close_backdrop(show: Show) -> None:
    show.scene.backdrop.close()  # the one shown last, not the one shown first


def run(config: Config, playing: Playing, reread: Reread | None = None) -> None:
    """Run until the clip ends, a signal comes, somebody says stop, or a fault; shows the status line meanwhile."""
    stop = threading.Event()
    manager = ServiceManager.from_environment()
    with (
        signals.handled(stop) as on_hangup,
        running(config, playing, stop=stop, reread=reread) as (pipeline, _, performer),
    ):
        on_hangup(lambda: performer.press("reload"))
        manager.ready(f"{config.source} to {config.sink}")
        try:
            watch(pipeline, stop, manager)
            if not stop.is_set() and pipeline.cause is None:
                log.info("%s is over (to play it again and again: --loop)", config.source)
        finally:
            manager.stopping()


def watch(pipeline: Pipeline, stop: threading.Event, manager: ServiceManager | None = None) -> None:
    """Show the status line until the pipeline has ended or `stop` is set; tell `manager` that frames move."""
    with status_line(pipeline) as tick:
        while not stop.is_set() and not pipeline.wait(0.25):
            tick()
            if manager is not None:
                manager.alive(pipeline.metrics.alive())
