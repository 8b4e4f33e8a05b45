"""Scenes of the configuration: their checks, and what they change."""

from __future__ import annotations

from dataclasses import replace

from camdaemon.backdrop import check_backdrop
from camdaemon.config.schema import Config, CropConfig, SceneConfig
from camdaemon.control import actions
from camdaemon.errors import ConfigError, did_you_mean
from camdaemon.frames.composite import Appearance, Crop

# What a reload applies at once; everything else is fixed while the devices and the network are open.
LIVE = {"backdrop", "backdrops", "blur", "edge", "mirror", "crop", "fade_s", "hotkeys", "scenes", "max_coverage"}


def appearance_of(config: Config) -> Appearance:
    """Return the appearance that the configuration begins with."""
    return Appearance(config.edge, config.blur, config.mirror, _crop(config.crop))


def find_scene(config: Config, name: str) -> SceneConfig:
    """Return the scene called `name`. Raises ConfigError, which says which there are."""
    if name in config.scenes:
        return config.scenes[name]
    if guess := did_you_mean(name, config.scenes):
        raise ConfigError(f"there is no scene {name!r} in the configuration; {guess}")
    there = f"there are {', '.join(config.scenes)}" if config.scenes else "there are none yet"
    raise ConfigError(f"there is no scene {name!r} in the configuration; {there}; write one below a line [scenes.NAME]")


def restyle(appearance: Appearance, wanted: SceneConfig) -> Appearance:
    """Return `appearance` with what the scene names."""
    given = {name: getattr(wanted, name) for name in ("edge", "blur", "mirror") if getattr(wanted, name) is not None}
    crop = appearance.crop if wanted.crop is None else _crop(wanted.crop)
    return replace(appearance, crop=crop, **given)


def _crop(crop: CropConfig | None) -> Crop | None:
    whole = crop is None or (crop.width == 1 and crop.height == 1)
    return None if crop is None or whole else Crop(crop.left, crop.top, crop.width, crop.height)


def check_scenes(config: Config) -> None:
    """Raise one ConfigError that names every scene whose backdrop is missing and every key bound to no action."""
    mistakes = [mistake for action in config.hotkeys if (mistake := actions.check(action, list(config.scenes)))]
    for name, scene in config.scenes.items():
        try:
            if scene.backdrop is not None:
                check_backdrop(scene.backdrop)
        except ConfigError as exc:
            mistakes.append(f"scene {name}: {exc}")
    if mistakes:
        raise ConfigError("\n  ".join([f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "1 mistake", *mistakes]))
