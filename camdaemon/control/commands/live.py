"""What all commands share: the running pipeline, its scene, and the locks around them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from camdaemon.backdrop import Backdrop
from camdaemon.capture.holding import ControlsHolder
from camdaemon.config.choices import Choices
from camdaemon.config.schema import Config
from camdaemon.control.backdrops import Gallery, PreparedBackdrops
from camdaemon.control.memory import Memory
from camdaemon.control.photographer import PlatePhotographer
from camdaemon.control.scenes import look_of
from camdaemon.errors import ControlError
from camdaemon.frames.frame import Size
from camdaemon.linux.folders import expand_home
from camdaemon.pipeline.state import Mode, Scene
from camdaemon.pipeline.threads import Pipeline

Change = Callable[[Scene], Scene]  # pure: it runs under a lock
Choose = Callable[[Choices, Scene, Config], Choices]  # from the choices before and the new scene; pure as well


def _refuse_panel(_: object) -> str:
    raise ControlError("this daemon serves no panel. Run: camdaemon run")


class LiveScene:
    """The scene of a running pipeline, and what commands need to change it.

    Locks, in the only order in which they are taken:
        1. `_preparing`: held by next, previous and reload, one at a time, while they prepare what they show.
        2. `_lock`: guards `_config`, `_choices`, `_taking` and the replacement of the scene. Held for assignments
           alone: never while waiting or preparing, and never while code outside of the commands runs.

    A plate holds neither: `_taking` is a flag, so that a second request is refused instead of waiting. `on_reload` runs
    under the first alone and may give commands that only swap. The locks inside of `PreparedBackdrops`, `Memory`,
    `ControlsHolder`, the key bindings and the pipeline's state come last: nothing is called back under them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        config: Config,
        size: Size,
        camera: str | None,
        on_stop: Callable[[], None],
        reread: Callable[[], Config] | None = None,
        *,
        holder: ControlsHolder | None = None,
        choices: Choices | None = None,
        memory: Memory | None = None,
        open_panel: Callable[[Any], str] = _refuse_panel,
        on_reload: Callable[[Any, Config], None] = lambda *_: None,
    ) -> None:
        """Prepare; starts nothing.

        Args:
            pipeline: What the commands change.
            config: What is in force now.
            size: Of the output.
            camera: The source's name, under which plates are kept; None for clips, whose plates are not kept.
            on_stop: Asks the daemon to end; returns at once.
            reread: Loads the configuration once more; None where there is no file.
            holder: Holds the camera's controls while a plate serves.
            choices: What was chosen in earlier runs.
            memory: Keeps what is chosen in this one.
            open_panel: Called with these `Commands`; serves the panel for them and returns its address.
            on_reload: Called with these `Commands` and the new configuration once it is in force.
        """
        self._pipeline, self._config, self._size, self._on_stop = pipeline, config, size, on_stop
        self._reread, self._open_panel, self._on_reload = reread, open_panel, on_reload
        self._photographer = PlatePhotographer(pipeline, holder or ControlsHolder(None), camera, size)
        self.gallery = Gallery(backdrop_folder(config))
        self._prepared = PreparedBackdrops(size)
        self._preparing, self._lock = threading.Lock(), threading.Lock()
        self._choices, self._memory = choices or Choices(), memory
        self._taking = False
        self._started = time.monotonic()

    def _current_config(self) -> Config:
        with self._lock:
            return self._config

    def _show(self, backdrop: Backdrop) -> None:
        self._swap(lambda scene: replace(scene, backdrop=backdrop), fade=True, choose=choosing("backdrop"))

    def _swap(
        self, change: Change, *, fade: bool = False, config: Config | None = None, choose: Choose | None = None
    ) -> Scene:
        """Replace the scene by one reference, the configuration and the choices with it; return the new scene.

        What was behind the old scene ends. That the card is on is remembered, however it came.
        """
        with self._lock:
            self._config = self._config if config is None else config
            before = self._pipeline.state.scene
            after = replace(change(before), fade_s=self._config.fade_s if fade else 0.0)
            self._pipeline.state.scene = after
            choices = self._choices if choose is None else choose(self._choices, after, self._config)
            choices = replace(choices, card=after.mode is Mode.CARD)
            is_new, self._choices = choices != self._choices, choices
            if is_new and self._memory is not None:
                self._memory.keep(choices)
        if after.backdrop is not before.backdrop:
            before.backdrop.close()
        return after


def choosing(*names: str) -> Choose:
    """Return what takes the fields `names` of `Look`, as the new scene has them, for chosen."""

    def choose(choices: Choices, scene: Scene, config: Config) -> Choices:
        look = look_of(scene)
        return choices.choose(config, {name: getattr(look, name) for name in names})

    return choose


def backdrop_folder(config: Config) -> Path:
    """Return the absolute path of the configured backdrop folder."""
    return expand_home(config.backdrops).absolute()
