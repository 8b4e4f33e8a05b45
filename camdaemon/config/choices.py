"""What was chosen while the daemon ran, and what it makes of the configuration: how the picture looks.

Pure data. `control.memory` keeps it over restarts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from camdaemon.config.schema import Config, CropConfig, SceneConfig

UNKNOWN: Any = ...  # in place of what the configuration said


class Look(NamedTuple):
    """How the picture looks, whole: nothing of it is left to something else. The fields are settings of `Config`."""

    backdrop: str
    edge: float
    blur: float
    mirror: bool
    crop: CropConfig | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that was chosen, and the one that the configuration had then; both as plain JSON values."""

    value: Any
    over: Any = UNKNOWN  # UNKNOWN while the command line names the setting


@dataclass(frozen=True, slots=True)
class Choices:
    """What people chose live, in their last order: first a scene, then single values.

    Attributes:
        scene: The configuration's scene that was chosen last; None for none.
        values: What was chosen since then, by the fields of `Look`.
        card: Whether the card was on.
        typed: Settings that the command line of this run names. They win over what was chosen in an earlier run.
        beaten: Those of them that were chosen in this run nevertheless.
    """

    scene: str | None = None
    values: Mapping[str, Choice] = field(default_factory=dict)
    card: bool = False
    typed: frozenset[str] = frozenset()
    beaten: frozenset[str] = frozenset()

    def look(self, config: Config) -> Look:
        """Return how the picture looks: by the command line, else as chosen, else as `config` says."""
        found = {name: getattr(config, name) for name in Look._fields}
        for name in set(Look._fields) - (self.typed - self.beaten):
            if name in self.values:
                found[name] = _read(name, self.values[name].value)
            else:
                found[name] = _configured(config, self.scene, name)
        return Look(**found)

    def choose(self, config: Config, values: Mapping[str, Any]) -> Choices:
        """Return these with `values` chosen, which are fields of `Look`, over what `config` says of them."""
        chosen = {name: Choice(_plain(value), self._over(config, self.scene, name)) for name, value in values.items()}
        return replace(self, values={**self.values, **chosen}, beaten=self.beaten | set(values))

    def choose_scene(self, name: str) -> Choices:
        """Return these with a scene chosen. It is complete: nothing that was chosen before it stays."""
        return replace(self, scene=name, values={}, beaten=frozenset(Look._fields))

    def reset(self) -> Choices:
        """Return these without a scene and single values: as the command line and the configuration say."""
        return replace(self, scene=None, values={}, beaten=frozenset())

    def follow(self, config: Config, forgotten: Collection[str] = ()) -> Choices:
        """Return these without what `config` says otherwise by now, because it was edited after the choice.

        Args:
            config: The configuration that is to apply.
            forgotten: Fields of `Look` that are dropped as well.
        """
        scene = self.scene if self.scene in config.scenes else None
        kept = {}
        for name, choice in self.values.items():
            now = self._over(config, scene, name)
            if name not in forgotten and (UNKNOWN in (now, choice.over) or now == choice.over):
                kept[name] = Choice(choice.value, choice.over if now is UNKNOWN else now)
        return replace(self, scene=scene, values=kept)

    def _over(self, config: Config, scene: str | None, name: str) -> Any:
        """What the configuration's file says of a field; UNKNOWN if the command line hides it."""
        is_hidden = name in self.typed and getattr(_scene(config, scene), name) is None
        return UNKNOWN if is_hidden else _plain(_configured(config, scene, name))


def _scene(config: Config, name: str | None) -> SceneConfig:
    return config.scenes.get(name, SceneConfig()) if name is not None else SceneConfig()


def _configured(config: Config, scene: str | None, name: str) -> Any:
    value = getattr(_scene(config, scene), name)
    return getattr(config, name) if value is None else value


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; the whole picture is no crop."""
    if isinstance(value, CropConfig):
        return None if value == CropConfig() else value.model_dump()
    return value


def _read(name: str, value: Any) -> Any:
    return CropConfig(**value) if name == "crop" and value is not None else value
