"""The commands that apply what the configuration says: its scenes, and the whole of it once more."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from camdaemon.config.schema import Config, SceneConfig
from camdaemon.control.commands.live import Change, LiveScene, backdrop_folder
from camdaemon.control.scenes import LIVE, appearance_of, check_scenes, find_scene, restyle
from camdaemon.errors import ConfigError
from camdaemon.pipeline.state import Mode, Scene


class SceneCommands(LiveScene):
    """Scenes, and reading the configuration again."""

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
        self.gallery.folder = backdrop_folder(new)
        self._swap(
            lambda scene: reduce(lambda now, change: change(now), changes, scene), fade=bool(changes), config=new
        )
