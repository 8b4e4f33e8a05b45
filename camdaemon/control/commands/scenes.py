"""The commands that apply what the configuration says: its scenes, and the whole of it once more."""

from __future__ import annotations

from dataclasses import asdict, replace

from camdaemon.config.choices import Choices
from camdaemon.config.schema import Config
from camdaemon.control.commands.live import Change, LiveScene, backdrop_folder, is_matte
from camdaemon.control.scenes import LIVE, appearance_of, check_scenes, find_scene
from camdaemon.errors import ConfigError
from camdaemon.pipeline.state import Mode, Scene


class SceneCommands(LiveScene):
    """Scenes, and reading the configuration again."""

    def scene(self, name: str) -> str:
        """Prepare the scene `name` of the configuration, then fade to it.

        It is complete: what it does not name is as the command line and the configuration say, its mode the matte, and
        a frozen picture moves again.

        Raises:
            ConfigError: there is no such scene, or its backdrop cannot be shown.
            ControlError: its card was not written in time.
        """
        config = self._current_config()
        mode = Mode(find_scene(config, name).mode or Mode.MATTE)
        try:
            self._show_look(config, Choices().choose_scene(name), lambda scene: replace(scene, mode=mode, paused=False))
        except ConfigError as exc:
            raise ConfigError(f"scene {name}: {exc}") from None
        if mode is Mode.CARD:
            self._see_card()
        else:
            self._see(is_matte)
        return self._tell(f"The scene is {name}.")

    def reset(self) -> str:
        """Undo what was chosen live: show what the command line and the configuration say. The mode stays."""
        self._show_look(self._current_config(), Choices(), lambda scene: scene)
        return self._tell("The picture is as configured.")

    def _show_look(self, config: Config, wanted: Choices, change: Change) -> None:
        """Prepare what `wanted` makes of `config`, then fade to it and to what else `change` does."""
        look = wanted.look(config)
        made = self._prepared.take(look.backdrop)
        name = wanted.scene
        self._swap(
            lambda scene: change(replace(scene, backdrop=made, appearance=appearance_of(look), name=name)),
            fade=True,
            choose=lambda choices, _, __: choices.reset() if name is None else choices.choose_scene(name),
        )

    def scenes(self) -> list[str]:
        """List the names of the configuration's scenes."""
        return list(self._current_config().scenes)

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
            self._apply(old, new)
            self._on_reload(self, new)
        later = sorted(changed - LIVE)
        waiting = f" After a restart also: {', '.join(later)}." if later else ""
        return f"The configuration is read again: {', '.join(sorted(changed & LIVE)) or 'nothing new'}.{waiting}"

    def _apply(self, old: Config, new: Config) -> None:
        """Prepare what shows otherwise with `new` than with `old`, then swap it all.

        What was chosen stays, unless the configuration says something else of it than when it was chosen.
        """
        forgotten = set() if self._memory is None else self._memory.forgotten()
        with self._lock:
            before = self._choices
        name = before.scene if before.scene in new.scenes else None
        look, shown = before.follow(new, forgotten).look(new), before.look(old)
        made = self._prepared.take(look.backdrop) if look.backdrop != shown.backdrop else None
        wanted, now = asdict(appearance_of(look)), asdict(appearance_of(shown))
        styles = {each: getattr(appearance_of(look), each) for each in wanted if wanted[each] != now[each]}
        mode = new.scenes[name].mode if name is not None and new.scenes[name] != old.scenes.get(name) else None

        def change(scene: Scene) -> Scene:
            return replace(
                scene,
                backdrop=made or scene.backdrop,
                appearance=replace(scene.appearance, **styles),
                name=name,
                mode=Mode(mode) if mode else scene.mode,
                max_coverage=new.max_coverage,
            )

        self.gallery.folder = backdrop_folder(new)
        self._swap(
            change,
            fade=bool(made or styles or mode),
            config=new,
            choose=lambda choices, _, config: choices.follow(config, forgotten),
        )
