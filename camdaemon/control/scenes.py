"""Scenes of the configuration: their checks, and how they look."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from camdaemon.backdrop import check_backdrop
from camdaemon.config.choices import Look
from camdaemon.config.schema import Config, CropConfig, SceneConfig
from camdaemon.control import actions
from camdaemon.errors import ConfigError, did_you_mean
from camdaemon.frames.appearance import Appearance, Crop

if TYPE_CHECKING:
    from camdaemon.pipeline.state import Scene

# What a reload applies at once; everything else is fixed while the devices and the network are open.
_LOOK = {"backdrop", "backdrops", "blur", "edge", "mirror", "crop", "fade_s", "scenes", "max_coverage"}
LIVE = _LOOK | {"hotkeys", "tray"}


def appearance_of(look: Look) -> Appearance:
    """Return how the person and the backdrop are shown in `look`."""
    return Appearance(look.edge, look.blur, look.mirror, None if look.crop is None else make_crop(**dict(look.crop)))


def look_of(scene: Scene) -> Look:
    """Return how the picture of `scene` looks, in the words of the configuration."""
    shown = scene.appearance
    crop = None if shown.crop is None else CropConfig(**asdict(shown.crop))
    return Look(scene.backdrop.spec, shown.edge, shown.blur, shown.mirror, crop)


def make_crop(left: float, top: float, width: float, height: float) -> Crop | None:
    """Return the part of the camera's picture; None for the whole of it."""
    return None if width == height == 1 else Crop(left, top, width, height)


def find_scene(config: Config, name: str) -> SceneConfig:
    """Return the scene called `name`. Raises ConfigError, which says which there are."""
    if name in config.scenes:
        return config.scenes[name]
    if guess := did_you_mean(name, config.scenes):
        raise ConfigError(f"there is no scene {name!r} in the configuration; {guess}")
    there = f"there are {', '.join(config.scenes)}" if config.scenes else "there are none yet"
    raise ConfigError(f"there is no scene {name!r} in the configuration; {there}; write one below a line [scenes.NAME]")


def find_mistakes(config: Config) -> list[str]:
    """Name every scene whose backdrop is missing and every key that is bound to no action, one sentence each."""
    mistakes = [mistake for action in config.hotkeys if (mistake := actions.check(action, list(config.scenes)))]
    for name, scene in config.scenes.items():
        try:
            if scene.backdrop is not None:
                check_backdrop(scene.backdrop)
        except ConfigError as exc:
            mistakes.append(f"scene {name}: {exc}")
    return mistakes


def check_scenes(config: Config) -> None:
    """Raise one ConfigError that names all that `find_mistakes` finds."""
    raise_mistakes(find_mistakes(config))


def raise_mistakes(mistakes: list[str]) -> None:
    """Raise one ConfigError that names all `mistakes`, if there are any."""
    if mistakes:
        raise ConfigError("\n  ".join([f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "1 mistake", *mistakes]))
