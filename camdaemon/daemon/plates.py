"""The plate that a run begins with: the user's own file, or the saved ones of a camera."""

from __future__ import annotations

import logging
from pathlib import Path

from camdaemon.capture import Source
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.frames.kinds import PLATES
from camdaemon.linux.folders import expand_home
from camdaemon.plate import saved, store
from camdaemon.plate.chunks import Controls
from camdaemon.plate.parts import Plate
from camdaemon.plate.store import Place

log = logging.getLogger(__name__)


def load_places(config: Config, source: Source, size: Size) -> list[Place]:
    """Return the plates to begin with, the most likely one first; a clip has only what the user names.

    Plates of a camera are of several places; the frames tell which one it stands in. A mistake in the user's own file
    is the user's to correct, and raises; a saved plate that is damaged is only said.

    Raises:
        ConfigError: The file that the user names is no picture, or of another shape.
    """
    if config.plate == "none":
        return []
    if config.plate not in PLATES:
        path = expand_home(config.plate)
        plate = Plate(store.load_file(path, size, source.size))
        return [Place(path, plate, store.read_controls(path), path.stat().st_mtime)]
    found = []
    for path in saved.list_places(source.name, size) if source.live else ():
        try:
            place = store.load(path, size)
        except ConfigError as exc:  # without any there is a card that asks for one, or the plate grows
            log.warning("plate not used: %s", exc)
        else:
            found += [place] if place is not None else []
    return found


def find_controls(config: Config, source: Source, size: Size) -> Controls:
    """Return what the camera was held at for the plate to begin with; empty without one."""
    if config.plate == "none":
        return {}
    if config.plate not in PLATES:
        return store.read_controls(expand_home(config.plate))
    paths: list[Path] = saved.list_places(source.name, size)
    return store.read_controls(paths[0]) if paths else {}
