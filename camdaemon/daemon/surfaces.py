"""What people drive a running pipeline by: the commands' API, keys, tray and panel; and what they are told."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from camdaemon.config.keys import KeyCombination
from camdaemon.config.schema import Config
from camdaemon.control.actions import Performer, Presses, Request
from camdaemon.control.commands import Commands
from camdaemon.control.hotkeys import Hotkeys
from camdaemon.control.instance import DaemonLock
from camdaemon.control.plates import WITHOUT_PLATE
from camdaemon.control.room import warn_of_room
from camdaemon.control.scenes import check_scenes
from camdaemon.control.server import ApiServer
from camdaemon.control.tray import Seen, Tray
from camdaemon.control.viewers import describe_view
from camdaemon.errors import ConfigError, ControlError
from camdaemon.frames import card
from camdaemon.linux import desktop
from camdaemon.linux.sleep import SleepWatch
from camdaemon.pipeline.camera_state import PANEL
from camdaemon.pipeline.threads import Pipeline

if TYPE_CHECKING:
    from camdaemon.control.panel.server import PanelServer

log = logging.getLogger(__name__)

_CLOSING_S = 3.0  # that the machine's sleep may wait for the camera


class Surfaces:
    """API, keys, tray and panel of one daemon. Made before the `Commands`, which call `open_panel` and `apply`.

    All of it is for the daemon's main thread, but `open_panel` and `apply`, which any thread may call.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        """Prepare; nothing listens yet, and the web server is not loaded."""
        self._pipeline = pipeline
        self._presses: Presses = queue.SimpleQueue()
        self._keys = _Keys(self._presses.put)
        self._tray = _TrayIcon(self._presses.put)
        self._opening = threading.Lock()  # guards `_panel`
        self._panel: PanelServer | None = None

    def open_panel(self, commands: Commands) -> str:
        """Serve the panel, from the first call on; return its address, good for one visit. Raises ControlError."""
        with self._opening:
            if self._panel is None:
                from camdaemon.control.panel.server import PanelServer

                self._panel = PanelServer(_CameraPreview(self._pipeline))
        return self._panel.open(commands, commands.gallery)

    def apply(self, commands: Commands, config: Config) -> None:
        """Bind the keys of `config`, show its icon, and say what to press for a plate where there is none."""
        if self._pipeline.stage.sink.live:  # a file has no viewers while it is written
            self._keys.bind(config.hotkeys)
            self._tray.switch(commands, config.tray)
        commands.invite(invitation(config))

    def look(self) -> None:
        """See what viewers see, for the tray's icon. Costs next to nothing; call it a few times a second."""
        view = describe_view(self._pipeline.state.published.last)
        self._tray.tell(Seen(view.state, view.sentence), self._pipeline.state.scene)

    @contextlib.contextmanager
    def started(
        self,
        commands: Commands,
        config: Config,
        socket: Path,
        lock: DaemonLock,
        give_up: Callable[[ControlError], None],
    ) -> Iterator[Performer]:
        """Start every surface, and stop them in reversed order. Yields what does key actions.

        Args:
            commands: What the surfaces ask.
            config: In force now.
            socket: Path of the API's socket.
            lock: Held for it.
            give_up: Ends the daemon: no command can reach it any more.
        """
        performer = Performer(commands, _tell, self._presses)
        api = ApiServer(commands, socket, lock.keep, give_up)
        sleep = SleepWatch(partial(_fall_asleep, self._pipeline, commands))
        with contextlib.ExitStack() as undo:
            performer.start()
            undo.callback(performer.stop)
            api.start()
            undo.callback(api.stop)
            sleep.start()
            undo.callback(sleep.stop)
            undo.callback(self._close_panel)
            undo.callback(self._keys.close)
            undo.callback(self._tray.close)
            _warn_of_scenes(config)
            warn_of_room(config, self._pipeline.stage.sink.size)
            self.apply(commands, config)
            yield performer

    def _close_panel(self) -> None:
        with self._opening:
            if self._panel is not None:
                self._panel.close()


class _CameraPreview:
    """The pipeline's preview; the camera runs while the panel asks for pictures."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._preview, self._camera = pipeline.stage.preview, pipeline.state.camera

    def jpeg(self, view: str, after: int, timeout: float) -> tuple[int, bytes] | None:
        """See `panel.app.Preview.jpeg`."""
        with self._camera.hold(PANEL):
            return self._preview.jpeg(view, after, timeout)


def _fall_asleep(pipeline: Pipeline, commands: Commands, asleep: bool) -> None:
    """Close the camera before the machine sleeps: it may be another one, or none, when the machine wakes up.

    The raw camera ends with it, on either side: nobody remembers it hours later.
    """
    commands.end_passthrough("the machine goes to sleep" if asleep else "the machine was asleep")
    if not asleep:
        pipeline.state.camera.wake_up()
        return
    pipeline.state.camera.fall_asleep()
    if pipeline.camera.first.live:
        pipeline.state.camera.wait_closed(_CLOSING_S)


class _Keys:
    """The key bindings that are in force. Any thread; what `press` does must not wait for them."""

    def __init__(self, press: Callable[[str], None]) -> None:
        self._press = press
        self._lock = threading.Lock()  # guards what follows
        self._hotkeys: Hotkeys | None = None
        self._bindings: dict[str, str] = {}
        self._closed = False

    def bind(self, bindings: dict[str, str]) -> None:
        """Replace the bindings (action → combination)."""
        with self._lock:
            if self._closed or bindings == self._bindings:
                return
            self._unbind()
            self._bindings = dict(bindings)
            if self._bindings:
                self._hotkeys = Hotkeys(self._bindings, self._press)
                self._hotkeys.start()

    def close(self) -> None:
        """Unbind all; a reload that is still under way binds nothing any more."""
        with self._lock:
            self._closed = True
            self._unbind()

    def _unbind(self) -> None:
        if self._hotkeys is not None:
            self._hotkeys.stop()
        self._hotkeys, self._bindings = None, {}


class _TrayIcon:
    """The tray's icon, while the configuration wants one. Any thread; what `press` does must not wait for it."""

    def __init__(self, press: Callable[[Request], None]) -> None:
        self._press = press
        self._lock = threading.Lock()  # guards what follows
        self._tray: Tray | None = None
        self._closed = False

    def switch(self, commands: Commands, is_wanted: bool) -> None:
        """Show the icon, or take it away; harmless where that is so already."""
        with self._lock:
            if self._closed or is_wanted == (self._tray is not None):
                return
            if self._tray is not None:
                self._tray.stop()
            self._tray = Tray(commands, self._press) if is_wanted else None
            if self._tray is not None:
                self._tray.start()

    def tell(self, seen: Seen, scene: object) -> None:
        """See `Tray.tell`."""
        tray = self._tray
        if tray is not None:
            tray.tell(seen, scene)

    def close(self) -> None:
        """Take it away; a reload that is still under way shows none any more."""
        with self._lock:
            self._closed = True
            if self._tray is not None:
                self._tray.stop()
            self._tray = None


def invitation(config: Config) -> card.Card:
    """Make the card for a camera without a plate.

    Its reason tells the user what to press, if a key is bound on this desktop, or what to type.
    """
    combination = config.hotkeys.get("plate")
    if combination and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return card.make_invitation(f"press {KeyCombination.parse(combination)} or type: camdaemon plate")
    return card.make_invitation("type: camdaemon plate")


def invite(config: Config, *, needs_plate: bool) -> None:
    """Say that there is no plate: in the log, and on the desktop where viewers get a card, which tells them nothing."""
    if not needs_plate:
        log.info("%s", WITHOUT_PLATE)
        return
    reason = invitation(config).reason
    log.warning("viewers see a card: %s", reason)
    desktop.notify("Viewers see a card", f"{reason[0].upper()}{reason[1:]}")


def _warn_of_scenes(config: Config) -> None:
    try:
        check_scenes(config)
    except ConfigError as exc:  # the daemon starts all the same; the command that asks for such a scene says it again
        log.warning("%s", exc)


def _tell(sentence: str, failed: bool) -> None:
    """Log the answer to a press; show an error on the desktop as well."""
    if failed:
        log.warning("%s", sentence)
        desktop.notify("camdaemon", sentence)
    else:
        log.info("%s", sentence)
