"""Start the daemon, watch it while it runs, stop it: build → pipeline → control surfaces, and back in reverse order."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from camdaemon.capture import find_source
from camdaemon.capture.holding import ControlsHolder
from camdaemon.config.choices import Choices
from camdaemon.config.schema import Config
from camdaemon.control.instance import DaemonLock, socket_path
from camdaemon.control.memory import Memory
from camdaemon.daemon.housekeeping import keep_house
from camdaemon.daemon.opening import Ends, OpenSink, Playing, open_ends
from camdaemon.daemon.restore import recall
from camdaemon.daemon.signals import handle_signals
from camdaemon.errors import ControlError
from camdaemon.frames import picture
from camdaemon.linux.descriptors import raise_limit
from camdaemon.linux.folders import expand_home
from camdaemon.linux.heap import share_one_heap
from camdaemon.linux.systemd import ServiceManager

if TYPE_CHECKING:
    from camdaemon.control.actions import Performer
    from camdaemon.control.commands import Commands
    from camdaemon.pipeline.threads import Pipeline

log = logging.getLogger(__name__)

_SAVING_S = 5.0  # the longest wait for what was learned to be saved

Reread = Callable[[], Config]  # loads the configuration once more, as this run was started


@dataclass(frozen=True, slots=True)
class RunningDaemon:
    """A daemon that publishes and answers commands."""

    pipeline: Pipeline
    commands: Commands
    performer: Performer  # of key actions
    look: Callable[[], None]  # to be called a few times a second: what viewers see goes to the tray


@contextlib.contextmanager
def start_daemon(
    config: Config,
    playing: Playing,
    sink_for: OpenSink | None = None,
    stop: threading.Event | None = None,
    socket: Path | None = None,
    reread: Reread | None = None,
    memory: Memory | None = None,
) -> Iterator[RunningDaemon]:
    """Run the daemon inside the context, which is to be entered from the main thread.

    It is entered once the first frame (the card) is published and commands are answered. Leaving it stops everything
    in reverse order and raises the exception that a thread died of.

    Args:
        config: Of this run.
        playing: How a clip plays, and for how long.
        sink_for: Opens the sink instead of those of `config`.
        stop: Set when the daemon is asked to stop.
        socket: Where commands are answered; by default `socket_path`.
        reread: Loads the configuration once more for `reload`; None where there is no file.
        memory: Keeps what is chosen live, and knows what was chosen before; None to begin and end without.
    """
    stop, socket = stop or threading.Event(), socket or socket_path()
    picture.quiet_opencv()
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(DaemonLock(socket))
        lockable = config.lock_camera and find_source(config.source).has_controls
        holder = ControlsHolder(config.source if lockable else None)
        undo.callback(holder.release)
        choices = Choices() if memory is None else recall(memory, config)
        pipeline = _build(config, playing, open_ends(config, playing, sink_for, holder), choices)
        undo.callback(_close_backdrop, pipeline)
        from camdaemon.control.commands import Commands
        from camdaemon.daemon.surfaces import Surfaces, invite

        source = pipeline.camera.first
        camera = source.name if source.live else None
        surfaces = Surfaces(pipeline)
        commands = Commands(
            pipeline,
            config,
            pipeline.stage.sink.size,
            camera,
            stop.set,
            reread,
            holder=holder,
            choices=choices,
            memory=memory,
            open_panel=surfaces.open_panel,
            on_reload=surfaces.apply,
        )
        lacks_plate = pipeline.state.scene.plate is None
        takes_plate = lacks_plate and config.plate != "none" and (config.plate == "auto" or not source.live)
        if takes_plate and not source.live:
            _submit_plate(pipeline, commands)
        if memory is not None:
            undo.enter_context(memory.started())
        pipeline.start()
        undo.callback(pipeline.stop)
        undo.enter_context(_follow_viewers(pipeline, commands))
        undo.enter_context(_keep_places(commands))
        performer = undo.enter_context(surfaces.started(commands, config, socket, lock, partial(_end, pipeline, stop)))
        pipeline.state.first_published.wait()
        if takes_plate and source.live:
            threading.Thread(target=commands.take_plate_when_still, name="plate", daemon=True).start()
        elif lacks_plate and not takes_plate:
            invite(config, needs_plate=pipeline.engine.needs_plate)
        yield RunningDaemon(pipeline, commands, performer, surfaces.look)


def _build(config: Config, playing: Playing, ends: Ends, choices: Choices) -> Pipeline:
    """Build the pipeline between `ends`, which are closed if that fails; viewers see a card meanwhile."""
    try:
        with ends.showing_card():
            from camdaemon.daemon.build import build  # importing this takes longer than all before it

            return build(config, playing, ends, choices)
    except BaseException:
        ends.close()
        raise


def _end(pipeline: Pipeline, stop: threading.Event, cause: ControlError) -> None:
    """End the daemon in order, the card last, with `cause` as its error."""
    pipeline.cause = pipeline.cause or cause
    stop.set()


def _submit_plate(pipeline: Pipeline, commands: Commands) -> None:
    """Begin to take a plate; return once its job is submitted, because a clip at full speed does not wait for it."""
    submitted = pipeline.state.first_submitted

    def take() -> None:
        try:
            commands.take_plate_when_still()
        finally:
            submitted.set()  # also when it failed before

    threading.Thread(target=take, name="plate", daemon=True).start()
    submitted.wait()


def _close_backdrop(pipeline: Pipeline) -> None:
    pipeline.state.scene.backdrop.close()  # the one shown last, not the first one


@contextlib.contextmanager
def _follow_viewers(pipeline: Pipeline, commands: Commands) -> Iterator[None]:
    """Have the sink's viewers be a reason for the camera to run; with the last of them the raw camera ends."""
    from camdaemon.pipeline.camera_state import VIEWERS

    camera, stop = pipeline.state.camera, threading.Event()

    def tell(is_watched: bool) -> None:
        (camera.add_reason if is_watched else camera.remove_reason)(VIEWERS)
        if VIEWERS not in camera.reasons():
            commands.end_passthrough("the last viewer has gone")

    for follow in pipeline.stage.sink.viewers:
        threading.Thread(target=follow, args=(tell, stop), name="audience", daemon=True).start()
    try:
        yield
    finally:
        stop.set()


@contextlib.contextmanager
def _keep_places(commands: Commands) -> Iterator[None]:
    """Have what is learned of the room saved when the camera closes, and at the end."""
    stop = threading.Event()
    thread = threading.Thread(target=commands.places.watch, args=(stop,), name="places", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_SAVING_S)


def run(config: Config, playing: Playing, reread: Reread | None = None, memory: Memory | None = None) -> None:
    """Run until the clip ends, a signal or a command stops it, or a thread dies; show the status line meanwhile.

    For a process that ends with it: objects made before this point are never collected again, and its files
    are its user's alone.
    """
    share_one_heap()
    keep_house(expand_home(config.backdrops))
    raise_limit()
    stop = threading.Event()
    manager = ServiceManager.from_environment()
    with (
        handle_signals(stop) as on_hangup,
        start_daemon(config, playing, stop=stop, reread=reread, memory=memory) as daemon,
    ):
        gc.freeze()  # a collection through all that was imported takes the time of a frame
        gc.enable()
        on_hangup(lambda: daemon.performer.press("reload"))
        manager.ready(f"{config.source} to {' and '.join(config.sinks)}")
        try:
            watch(daemon.pipeline, stop, manager, daemon.look)
            if not stop.is_set() and daemon.pipeline.cause is None:
                log.info("source ended: %s (to play it in a loop: --loop)", config.source)
        finally:
            manager.stopping()


def watch(
    pipeline: Pipeline,
    stop: threading.Event,
    manager: ServiceManager | None = None,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Show the status line until the pipeline ends or `stop` is set.

    Four times a second meanwhile, `manager` is told that frames move, and `look` is called.
    """
    from camdaemon.daemon.status_line import show_status_line

    with show_status_line(pipeline) as update:
        while not stop.is_set() and not pipeline.wait(0.25):
            update()
            look()
            if manager is not None:
                manager.alive(pipeline.metrics.alive())
