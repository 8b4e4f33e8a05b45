"""What the commands do: each prepares and checks outside the pipeline, then swaps a reference."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path

from camdaemon.backdrop import Backdrop
from camdaemon.capture.holding import ControlsHolder
from camdaemon.config.schema import Config, SceneConfig
from camdaemon.control import table
from camdaemon.control.backdrops import Gallery, PreparedBackdrops
from camdaemon.control.photographer import PlatePhotographer
from camdaemon.control.scenes import LIVE, appearance_of, check_scenes, find_scene, restyle
from camdaemon.control.status import describe
from camdaemon.control.table import BackdropFile
from camdaemon.errors import ConfigError, ControlError, PlateRefused
from camdaemon.frames.card import Card
from camdaemon.frames.frame import Size
from camdaemon.pipeline.state import Mode, Scene
from camdaemon.pipeline.threads import Pipeline

log = logging.getLogger(__name__)

Change = Callable[[Scene], Scene]  # pure: it runs under a lock


def _refuse_panel(_: Commands) -> str:
    raise ControlError("this daemon serves no panel. Run: camdaemon run")


class Commands:
    """One method for each row of the table, done to a running pipeline. Any thread.

    Every str returned is one sentence for people. Every error is a CamdaemonError, and after one nothing has changed.

    Locks, in the only order in which they are taken:
        1. `_preparing`: held by next, previous and reload, one at a time, while they prepare what they show.
        2. `_lock`: guards `_config`, `_taking` and the replacement of the scene. Held for assignments alone: never
           while waiting or preparing, and never while code outside of this class runs.

    A plate holds neither: `_taking` is a flag, so that a second request is refused instead of waiting. `on_reload` runs
    under the first alone and may give commands that only swap. The locks inside of `PreparedBackdrops`,
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
        open_panel: Callable[[Commands], str] = _refuse_panel,
        on_reload: Callable[[Commands, Config], None] = lambda *_: None,
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
            open_panel: Serves the panel for these commands and returns its address.
            on_reload: Gets the new configuration once it is in force.
        """
        self._pipeline, self._config, self._size, self._on_stop = pipeline, config, size, on_stop
        self._reread, self._open_panel, self._on_reload = reread, open_panel, on_reload
        self._photographer = PlatePhotographer(pipeline, holder or ControlsHolder(None), camera, size)
        self.gallery = Gallery(_folder(config))
        self._prepared = PreparedBackdrops(size)
        self._preparing, self._lock = threading.Lock(), threading.Lock()
        self._taking = False
        self._started = time.monotonic()

    def plate(self, countdown: float) -> str:
        """Photograph the empty room after `countdown` seconds and return when that is done.

        Raises:
            PlateRefused: the room was not still, too dark or too bright, or a plate is being taken already.
            ControlError: camdaemon stops meanwhile.
        """
        with self._lock:
            if self._taking:
                raise PlateRefused("a plate is being taken already. Wait for it, then run: camdaemon plate")
            self._taking, rules = True, self._config.plate_taking
        try:
            taken = self._photographer.take(countdown, rules)
            self._swap(lambda scene: replace(scene, plate=taken))
            return self._photographer.keep(taken)
        finally:
            with self._lock:
                self._taking = False

    def backdrop(self, spec: str) -> str:
        """Prepare the backdrop `spec` (see `backdrop.make_backdrop`), then show it. Raises ConfigError."""
        self._show(self._prepared.take(spec))
        return f"The backdrop is {spec}."

    def next_backdrop(self) -> str:
        """Show the next file of the backdrop folder, by name; wraps around. Raises ConfigError if there is none."""
        return self._step(1)

    def previous_backdrop(self) -> str:
        """Show the previous file, as `next_backdrop`."""
        return self._step(-1)

    def _step(self, step: int) -> str:
        with self._preparing:  # two presses at once are two steps
            file, made = self._prepared.neighbor(self.gallery, self._pipeline.state.scene.backdrop.spec, step)
            self._show(made)
        self.expect_neighbors()
        return f"The backdrop is {file.name}."

    def expect_neighbors(self) -> None:
        """Have the next and the previous backdrop prepared in the background."""
        self._prepared.expect_neighbors(self.gallery, self._pipeline.state.scene.backdrop.spec)

    def backdrops(self) -> list[BackdropFile]:
        """List the backdrop folder as it is now, by name."""
        return self.gallery.files()

    def scene(self, name: str) -> str:
        """Prepare all that the scene `name` of the configuration sets, then fade to it. Raises ConfigError."""
        wanted = find_scene(self._current_config(), name)
        try:
            self._swap(self._prepare_scene(name, wanted), fade=True)
        except ConfigError as exc:
            raise ConfigError(f"scene {name}: {exc}") from None
        return f"The scene is {name}."

    def _prepare_scene(self, name: str, wanted: SceneConfig) -> Change:
        made = None if wanted.backdrop is None else self._prepared.take(wanted.backdrop)

        def change(scene: Scene) -> Scene:
            backdrop = scene.backdrop if made is None else made
            mode = scene.mode if wanted.mode is None else Mode(wanted.mode)
            return replace(scene, backdrop=backdrop, appearance=restyle(scene.appearance, wanted), name=name, mode=mode)

        return change

    def scenes(self) -> list[str]:
        """List the names of the configuration's scenes."""
        return list(self._current_config().scenes)

    def mode(self, mode: str) -> str:
        """Show 'matte', 'card' or 'passthrough' from the next frame on. Raises ConfigError for another word.

        Passthrough shows the room: only ever on this explicit command.
        """
        _check("mode", mode=mode)
        wanted = Mode(mode)
        self._swap(lambda scene: replace(scene, mode=wanted))
        if wanted is Mode.PASSTHROUGH:
            log.warning("passthrough on: viewers see the room")
            return "Viewers see the raw camera, your room included. Back with: camdaemon mode matte"
        return f"The mode is {wanted}."

    def card(self, turn: str) -> str:
        """Show the privacy card ('on', 'off' or 'toggle'). Off it comes the matte, never the room."""

        def change(scene: Scene) -> Scene:
            return replace(scene, mode=Mode.CARD if _turned(scene.mode is Mode.CARD, turn) else Mode.MATTE)

        on = self._swap(change).mode is Mode.CARD
        return "Viewers see the card." if on else "Viewers see you again."

    def pause(self, turn: str) -> str:
        """Freeze the last composite, or go on ('on', 'off' or 'toggle')."""
        on = self._swap(lambda scene: replace(scene, paused=_turned(scene.paused, turn))).paused
        return "The picture is frozen. To go on: camdaemon pause off" if on else "The picture moves again."

    def mirror(self, turn: str) -> str:
        """Mirror the person ('on', 'off' or 'toggle'); the backdrop stays readable."""

        def change(scene: Scene) -> Scene:
            return replace(scene, appearance=replace(scene.appearance, mirror=_turned(scene.appearance.mirror, turn)))

        return "You are mirrored." if self._swap(change, fade=True).appearance.mirror else "You are not mirrored."

    def adjust(self, edge: float | None, blur: float | None) -> str:
        """Set the matte's edge and the backdrop's blur; None leaves a value as it is. Raises ConfigError.

        Args:
            edge: -1 (wider) to 1 (tighter).
            blur: Sigma in pixels, 0 to 100.
        """
        _check("adjust", edge=edge, blur=blur)

        def change(scene: Scene) -> Scene:
            old = scene.appearance
            new = replace(old, edge=old.edge if edge is None else edge, blur=old.blur if blur is None else blur)
            return replace(scene, appearance=new)

        appearance = self._swap(change).appearance
        return f"The edge is {appearance.edge:g}, the backdrop's blur {appearance.blur:g} pixels."

    def reload(self) -> str:
        """Read the configuration again and apply what does not need a restart, see `scenes.LIVE`.

        Raises:
            ConfigError: names every mistake; the old configuration stays.
        """
        if self._reread is None:
            raise ConfigError("this daemon has no configuration file to read again. Restart it with: camdaemon run")
        with self._preparing:
            old, new = self._current_config(), self._reread()
            check_scenes(new)
            changed = {name for name in type(new).model_fields if getattr(new, name) != getattr(old, name)}
            self._apply(old, new, changed)
            self._on_reload(self, new)
        later = sorted(changed - LIVE)
        waiting = f" After a restart also: {', '.join(later)}." if later else ""
        return f"The configuration is read again: {', '.join(sorted(changed & LIVE)) or 'nothing new'}.{waiting}"

    def _apply(self, old: Config, new: Config, changed: set[str]) -> None:
        """Prepare what `changed` from `old` to `new`, and the scene that shows if it differs; then swap it all."""
        name = self._pipeline.state.scene.name
        again = new.scenes.get(name) if name in new.scenes and new.scenes[name] != old.scenes.get(name) else None
        changes: list[Change] = []
        if "backdrop" in changed and (again is None or again.backdrop is None):
            made = self._prepared.take(new.backdrop)
            changes.append(lambda scene: replace(scene, backdrop=made))
        if changed & {"edge", "blur", "mirror", "crop"}:
            changes.append(lambda scene: replace(scene, appearance=appearance_of(new)))
        if "max_coverage" in changed:
            changes.append(lambda scene: replace(scene, max_coverage=new.max_coverage))
        if again is not None and name is not None:
            changes.append(self._prepare_scene(name, again))
        self.gallery.folder = _folder(new)
        self._swap(
            lambda scene: reduce(lambda now, change: change(now), changes, scene), fade=bool(changes), config=new
        )

    def invite(self, card: Card) -> None:
        """Set the card that shows for as long as there is no plate."""
        self._swap(lambda scene: replace(scene, invitation=card))

    def panel(self) -> str:
        """Serve the panel on this machine alone; return its address, good for one visit. Raises ControlError."""
        return self._open_panel(self)

    def status(self) -> dict[str, object]:
        """Describe what is going on, as plain JSON values, at once; see `status.describe`."""
        with self._lock:
            config, taking = self._config, self._taking
        uptime_s = round(time.monotonic() - self._started, 1)
        return describe(self._pipeline, config, self._size, uptime_s, taking=taking)

    def stop(self) -> str:
        """Ask the daemon to stop; return before it has."""
        self._on_stop()
        return "camdaemon is stopping."

    def _current_config(self) -> Config:
        with self._lock:
            return self._config

    def _show(self, backdrop: Backdrop) -> None:
        self._swap(lambda scene: replace(scene, backdrop=backdrop), fade=True)

    def _swap(self, change: Change, *, fade: bool = False, config: Config | None = None) -> Scene:
        """Replace the scene by one reference, and the configuration with it; return the new scene.

        What was behind the old scene ends.
        """
        with self._lock:
            self._config = self._config if config is None else config
            before = self._pipeline.state.scene
            after = replace(change(before), fade_s=self._config.fade_s if fade else 0.0)
            self._pipeline.state.scene = after
        if after.backdrop is not before.backdrop:
            before.backdrop.close()
        return after


def _folder(config: Config) -> Path:
    return Path(config.backdrops).expanduser().absolute()


def _check(function: str, **values: object) -> None:
    if mistakes := table.find_mistakes(table.find(function), values):
        raise ConfigError(mistakes)


def _turned(now: bool, turn: str) -> bool:
    return not now if turn == "toggle" else turn == "on"
