"""The daemon: parts → pipeline → controls, and back in reversed order. Readiness, the service manager, the end."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from camdaemon.capture.holding import ControlsHolder
from camdaemon.config.schema import Config
from camdaemon.control.actions import Performer
from camdaemon.control.commands import Commands
from camdaemon.control.instance import DaemonLock, socket_path
from camdaemon.daemon import signals
from camdaemon.daemon.build import OpenSink, Playing, build
from camdaemon.daemon.status_line import status_line
from camdaemon.frames import picture
from camdaemon.linux.systemd import ServiceManager
from camdaemon.output.audience import follow
from camdaemon.pipeline.camera_state import VIEWERS
from camdaemon.pipeline.state import SharedState
from camdaemon.pipeline.threads import Pipeline

log = logging.getLogger(__name__)

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
        holder = ControlsHolder(config.source if config.lock_camera and config.source.startswith("/dev/") else None)
        pipeline = build(config, playing, sink_for, holder)
        undo.callback(holder.release)
        source = pipeline.camera.first
        undo.callback(_close_backdrop, pipeline.state)
        camera = source.name if source.live else None
        commands = Commands(pipeline, config, pipeline.stage.sink.size, camera, stop.set, reread)
        commands.holder = holder
        by_itself = pipeline.state.scene.plate is None and (config.plate == "auto" or not source.live)
        if by_itself and not source.live:
            taking = _plate_by_itself(commands)
            while pipeline.state.jobs.empty() and taking.is_alive():  # a clip at full speed waits for nobody
                time.sleep(0.001)
        pipeline.start()
        undo.callback(pipeline.stop)
        if not pipeline.state.camera.is_needed:
            undo.callback(_follow_viewers(pipeline.state, config.sinks).set)
        from camdaemon.daemon.surfaces import controlled, invite  # loads while the first frame is in work

        performer = undo.enter_context(controlled(pipeline, commands, config, socket))
        while not pipeline.state.first_published.wait(0.1) and not pipeline.ended.is_set():
            pass
        if by_itself and source.live:
            _plate_by_itself(commands)
        elif pipeline.state.scene.plate is None and not by_itself:
            invite(config)
        yield pipeline, commands, performer


def _plate_by_itself(commands: Commands) -> threading.Thread:
    taking = threading.Thread(target=commands.plate_by_itself, name="plate", daemon=True)
    taking.start()
    return taking


def _follow_viewers(state: SharedState, paths: list[str]) -> threading.Event:
    """Let whoever streams from one of `paths` be a reason for the camera to run, until the event is set."""
    stop = threading.Event()

    def told(watched: bool) -> None:
        (state.camera.add_reason if watched else state.camera.remove_reason)(VIEWERS)

    for path in paths:
        threading.Thread(target=follow, args=(path, told, stop), name="audience", daemon=True).start()
    return stop


def _close_backdrop(state: SharedState) -> None:
    state.scene.backdrop.close()  # the one shown last, not the one shown first


def run(config: Config, playing: Playing, reread: Reread | None = None) -> None:
    """Run until the clip ends, a signal comes, somebody says stop, or a fault; shows the status line meanwhile.

    For a process that ends with it: what is there once it runs is never looked through for garbage again.
    """
    stop = threading.Event()
    manager = ServiceManager.from_environment()
    with (
        signals.handled(stop) as on_hangup,
        running(config, playing, stop=stop, reread=reread) as (pipeline, _, performer),
    ):
        # What torch brought stays: looking through it now and then takes a frame's time, and a second at the end.
        gc.freeze()
        gc.enable()
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
