"""Everything by which people drive a running pipeline: commands, their API, keys, panel; and what tells them things."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from camdaemon.config.keys import KeyCombination
from camdaemon.config.schema import Config
from camdaemon.control.actions import Performer
from camdaemon.control.commands import Commands
from camdaemon.control.hotkeys import Hotkeys
from camdaemon.control.panel import PanelServer
from camdaemon.control.scenes import check_scenes
from camdaemon.control.server import ApiServer
from camdaemon.errors import ConfigError
from camdaemon.frames import card
from camdaemon.linux import desktop
from camdaemon.linux.sleep import SleepWatch
from camdaemon.pipeline.camera_state import PANEL
from camdaemon.pipeline.threads import Pipeline

log = logging.getLogger(__name__)

_CLOSING_S = 3.0  # that the machine's sleep may wait for the camera


@contextlib.contextmanager
def controlled(pipeline: Pipeline, commands: Commands, config: Config, socket: Path) -> Iterator[Performer]:
    """Start every surface, stop them in reversed order. From the daemon's main thread; gives what performs key actions.

    Keys follow the configuration when it is read again.
    """
    performer = Performer(commands, _tell)
    bound = _Keys(performer)

    def apply(new: Config) -> None:
        if pipeline.stage.sink.live:  # nobody watches a file while it is written
            bound.bind(new)
        commands.invite(invitation(new))

    with contextlib.ExitStack() as undo:
        panel = PanelServer(commands, commands.gallery, _Looking(pipeline))
        commands.open_panel, commands.on_reload = panel.open, apply
        performer.start()
        undo.callback(performer.stop)
        api = ApiServer(commands, socket)
        api.start()
        undo.callback(api.stop)
        sleep = SleepWatch(partial(_fall_asleep, pipeline))
        sleep.start()
        undo.callback(sleep.stop)
        undo.callback(panel.close)
        undo.callback(bound.unbind)
        _warn_of_scenes(config)
        apply(config)
        commands.expect_neighbours()
        yield performer


class _Looking:
    """The viewfinder, and the camera to go with it: whoever looks at the panel wants to see something."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._viewfinder, self._camera = pipeline.stage.preview, pipeline.state.camera

    def jpeg(self, view: str, after: int, timeout: float) -> tuple[int, bytes] | None:
        """See Preview.jpeg."""
        with self._camera.hold(PANEL):
            return self._viewfinder.jpeg(view, after, timeout)


def _fall_asleep(pipeline: Pipeline, asleep: bool) -> None:
    """Before the machine sleeps, close the camera: it may be another one, or none, when the machine wakes up."""
    if not asleep:
        pipeline.state.camera.wake_up()
        return
    pipeline.state.camera.fall_asleep()
    if pipeline.camera.first.live:
        pipeline.state.camera.wait_closed(_CLOSING_S)


class _Keys:
    """The key bindings of now."""

    def __init__(self, performer: Performer) -> None:
        self._performer = performer
        self._hotkeys: Hotkeys | None = None
        self._bindings: dict[str, str] = {}

    def bind(self, config: Config) -> None:
        if config.hotkeys == self._bindings:
            return
        self.unbind()
        self._bindings = dict(config.hotkeys)
        if self._bindings:
            self._hotkeys = Hotkeys(self._bindings, self._performer.press)
            self._hotkeys.start()

    def unbind(self) -> None:
        if self._hotkeys is not None:
            self._hotkeys.stop()
        self._hotkeys, self._bindings = None, {}


def invitation(config: Config) -> card.Card:
    """The card for a camera without a plate: what to do, by key where one is bound and there is a desktop for it."""
    combination = config.hotkeys.get("plate")
    if combination and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return card.no_plate(f"press {KeyCombination.parse(combination)} or type: camdaemon plate")
    return card.no_plate("type: camdaemon plate")


def invite(config: Config) -> None:
    """Say in the log and on the desktop what the card says."""
    words = invitation(config)
    hint = " ".join(words.hint.split())
    log.warning("%s: %s", words.title, hint)
    desktop.notify(words.title, hint)


def _warn_of_scenes(config: Config) -> None:
    try:
        check_scenes(config)
    except ConfigError as exc:  # the show begins all the same; whoever switches to such a scene is told again
        log.warning("%s", exc)


def _tell(sentence: str, failed: bool) -> None:
    """The answer to a key press, for somebody who looks at a call."""
    if failed:
        log.warning("%s", sentence)
        desktop.notify("camdaemon", sentence)
    else:
        log.info("%s", sentence)
