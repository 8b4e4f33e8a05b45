"""What `camdaemon run` would refuse, found without opening or changing anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from camdaemon.backdrop import check_backdrop
from camdaemon.capture import find_source
from camdaemon.config.mistakes import split_key
from camdaemon.config.schema import Config
from camdaemon.control.scenes import find_mistakes, raise_mistakes
from camdaemon.errors import ConfigError
from camdaemon.frames import kinds
from camdaemon.linux.devices import is_device_path, is_one_of
from camdaemon.linux.results import check_results
from camdaemon.output import find_sink


def check_all(config: Config, *, only: str | None = None) -> None:
    """Raise one ConfigError that tells of everything in `config` that is missing, of no kind, or not writable.

    Args:
        config: The whole configuration.
        only: The key of the one setting that is of interest.
    """
    found = [*_find_wrong_files(config), *find_mistakes(config)]
    if only is not None:
        first, *inner = split_key(only)
        whose = {"scenes": f"scene {inner[0] if inner else ''}", "hotkeys": "'"}.get(first, f"{first}:")
        found = [mistake for mistake in found if mistake.startswith(whose)]
    raise_mistakes(found)


def check_recordings(config: Config, *, force: bool) -> None:
    """Check, before anything is opened, that the video files among the sinks may be written; see `check_results`.

    Args:
        config: Of this run.
        force: Overwrite what is there.

    Raises:
        ConfigError: A file is also read, or is there and the user did not agree to lose it.
    """
    written = [Path(spec) for spec in config.sinks if find_sink(spec).is_file]
    backdrops = [scene.backdrop for scene in config.scenes.values() if scene.backdrop is not None]
    if written:
        check_results(written, [config.source, config.plate, config.weights, config.backdrop, *backdrops], force=force)


def check_parts(config: Config) -> None:
    """Check that source, sinks and backdrop are named rightly, before anything is opened or loaded.

    Raises:
        ConfigError: One of them is no such thing, or the source is the sink.
    """
    find_source(config.source)
    for sink in config.sinks:
        find_sink(sink)
    check_backdrop(config.backdrop)
    if is_one_of(config.source, config.sinks):
        raise ConfigError(f"the source {config.source} is the sink: camdaemon's own picture. Run: camdaemon devices")


def list_absent(config: Config) -> list[str]:
    """List the devices that are not there now. That is no mistake: a camera may be plugged in later."""
    devices = [spec for spec in (config.source, *config.sinks) if is_device_path(spec)]
    return [spec for spec in devices if not os.path.exists(spec)]


def _find_wrong_files(config: Config) -> Iterator[str]:
    try:
        find_source(config.source)
    except ConfigError as exc:
        yield f"source: {exc}"
    more = set(config.more_sinks)
    for name, spec in [("more_sinks" if spec in more else "sink", spec) for spec in config.sinks]:
        try:
            find_sink(spec)
        except ConfigError as exc:
            yield f"{name}: {exc}"
        if why := _why_not_writable(spec):
            yield f"{name}: cannot write {spec}: {why}. Run: camdaemon config set {name} /dev/video10"
    try:
        check_backdrop(config.backdrop)
    except ConfigError as exc:
        yield f"backdrop: {exc}"
    for name, path, words in (("plate", config.plate, kinds.PLATES), ("weights", config.weights, kinds.WEIGHTS)):
        if path not in words and not (os.path.isfile(path) and os.access(path, os.R_OK)):
            yield f"{name}: cannot read {path}. Run: camdaemon config set {name} {words[0]}"


def _why_not_writable(spec: str) -> str:
    """Say why a file could not be made at `spec`; "" if it could, or for what is no file."""
    kind = kinds.find_kind(kinds.SINKS, spec)
    if kind is None or not kind.is_path:
        return ""
    folder = Path(spec).absolute().parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if os.path.isdir(spec):
        return "it is a folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"the folder {folder} is read-only"
