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
from camdaemon.control.photographer import PlatePhotographer, Turns
from camdaemon.control.places import Places
from camdaemon.control.scenes import look_of
from camdaemon.control.viewers import describe_view
from camdaemon.errors import ControlError
from camdaemon.frames import card as cards
from camdaemon.frames.frame import Size
from camdaemon.linux.folders import expand_home
from camdaemon.pipeline.published import Kind, Published
from camdaemon.pipeline.state import Mode, Scene
from camdaemon.pipeline.threads import Pipeline

_CARD_S = 1.0  # the longest that `card` waits for its frame; an idle output thread writes twice a second
_MOMENT_S = 0.15  # for the effect of other commands: an answer after 0.3 s feels late

Change = Callable[[Scene], Scene]  # pure: it runs under a lock
Choose = Callable[[Choices, Scene, Config], Choices]  # from the choices before and the new scene; pure as well


def _refuse_panel(_: object) -> str:
    raise ControlError("this daemon serves no panel. Run: camdaemon run")


class LiveScene:
    """The scene of a running pipeline, and what commands need to change it.

    Locks, in the only order in which they are taken:
        1. `_preparing`: held by next, previous and reload, one at a time, while they prepare what they show.
        2. `_lock`: guards `_config`, `_choices` and the replacement of the scene. Held for assignments alone: never
           while waiting or preparing, and never while code outside of the commands runs.

    A plate holds neither: `_turns` refuses a second request instead of having it wait. `on_reload` runs under the first
    alone and may give commands that only swap. The locks inside of `Turns`, `PreparedBackdrops`, `Memory`,
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
        holder = holder or ControlsHolder(None)
        self._photographer = PlatePhotographer(pipeline, holder)
        self.places = Places(pipeline, holder, camera, size)
        self.gallery = Gallery(backdrop_folder(config))
        self._prepared = PreparedBackdrops(size)
        self._preparing, self._lock = threading.Lock(), threading.Lock()
        self._choices, self._memory = choices or Choices(), memory
        self._turns = Turns()
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
        if after.mode is not before.mode:
            self._pipeline.refresh_output()
        if after.backdrop is not before.backdrop:
            before.backdrop.close()
        return after

    def _see_card(self) -> None:
        """Wait until viewers have a card. Raises ControlError if they have none: the answer must be a fact."""
        if not self._pipeline.state.published.wait(lambda last: last.kind is Kind.CARD, _CARD_S):
            view = describe_view(self._pipeline.state.published.last)
            raise ControlError(f"the card was not written within {_CARD_S:g} s. {view.sentence}")

    def _see(self, is_right: Callable[[Published], bool]) -> bool:
        """Wait a moment until `is_right` of what viewers see; return whether it is."""
        return self._pipeline.state.published.wait(is_right, _MOMENT_S)

    def _tell(self, done: str) -> str:
        """Return `done`, and what viewers see where that is not the person over the backdrop, as one would think."""
        last = self._pipeline.state.published.last
        view = describe_view(last)
        return done if view.state == "live" or last.count == 0 else f"{done} {view.sentence}"


def choosing(*names: str) -> Choose:
    """Return what takes the fields `names` of `Look`, as the new scene has them, for chosen."""

    def choose(choices: Choices, scene: Scene, config: Config) -> Choices:
        look = look_of(scene)
        return choices.choose(config, {name: getattr(look, name) for name in names})

    return choose


def is_matte(last: Published) -> bool:
    """Whether it is of the mode 'matte': a composite, or a card that will last, such as the one for a lost camera."""
    return last.card not in (cards.OFF, cards.NO_MATTE) if last.kind is Kind.CARD else last.kind is not Kind.PASSTHROUGH


def backdrop_folder(config: Config) -> Path:
    """Return the absolute path of the configured backdrop folder."""
    return expand_home(config.backdrops).absolute()
