"""camdaemon's own things: configuration, scenes, weights, the daemon, its socket's folder, and room for plates."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from camdaemon.config.schema import Config, default_path, load
from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames import kinds
from camdaemon.frames.card import LOST, STANDBY
from camdaemon.linux.folders import expand_home, find_folder
from camdaemon.matting import find_matting
from camdaemon.system.doctor.findings import Context, Finding, first_sentence, note, ok, problem, split_error

_LEAST_FREE = 100 * 2**20  # bytes; a plate of 4K is a tenth of that
_FIX_CONFIG = "fix it, then: camdaemon config --check"


def load_configuration() -> tuple[Config, Finding]:
    """Return the effective configuration (the defaults where its file is wrong), and a finding about the file."""
    path = default_path()
    try:
        config = load(None, {})
    except ConfigError as exc:
        mistakes, _, last = str(exc).rpartition("\n")  # the last of several lines is what to type
        return Config(), problem("config", mistakes or last, _FIX_CONFIG)
    says = f"{path} is valid" if path.is_file() else f"{path} does not exist; the defaults apply"
    return config, ok("config", says)


def check(context: Context) -> Iterator[Finding]:
    """Yield what there is to say of camdaemon itself."""
    yield from check_scenes(context.config)
    yield from check_weights(context.config)
    yield check_daemon(context)
    yield check_socket()
    yield check_space()


def check_scenes(config: Config) -> Iterator[Finding]:
    """Yield whether the scenes can be shown; nothing without scenes."""
    from camdaemon.control import scenes

    try:
        scenes.check_scenes(config)
    except ConfigError as exc:
        yield problem("scenes", str(exc), _FIX_CONFIG)
        return
    if config.scenes:
        yield ok("scenes", f"all are ready: {', '.join(config.scenes)}")


def check_weights(config: Config) -> Iterator[Finding]:
    """Yield whether the weights are readable, and ours intact; nothing for a matting without weights."""
    if not find_matting(config.matting).uses_weights:
        return
    if config.weights not in kinds.WEIGHTS:
        path = expand_home(config.weights)
        if os.access(path, os.R_OK):
            yield ok("weights", f"{path} is readable (not ours, so there is no checksum)")
        else:
            yield problem("weights", f"{path} cannot be read", "camdaemon run --weights default")
        return
    from camdaemon.matting.bgmv2.weights import USES, find_weights

    try:
        names = sorted({find_weights(config.weights, *use).name for use in USES})
        yield ok("weights", f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} intact")
    except ConfigError as exc:
        yield problem("weights", first_sentence(exc), "pipx reinstall camdaemon")


def check_daemon(context: Context) -> Finding:
    """Return whether a daemon is running, and in what state."""
    status = context.status
    if status is None:
        return ok("daemon", "camdaemon is not running; start it with: camdaemon run")
    running, camera = f"camdaemon is running (pid {status.get('pid')})", str(status.get("camera"))
    if camera == LOST.title.lower():
        return problem("daemon", f"{running} and has lost its camera", "plug it in again, then: camdaemon status")
    if status.get("plate") == "missing":
        return note("daemon", f"{running} and has no plate yet", "camdaemon plate")
    if camera == STANDBY.title.lower():
        return ok("daemon", f"{running} and is idle until there are viewers")
    if camera != "ok":
        return note("daemon", f"{running} and has no picture: {camera}", "camdaemon status")
    rates = f"{status.get('fps_in')} fps in, {status.get('fps_out')} fps out"
    return ok("daemon", f"{running}: {status.get('mode')}, {rates}")


def check_socket() -> Finding:
    """Return whether there is a safe place for the control socket."""
    from camdaemon.control.instance import socket_path

    try:
        folder = _nearest_folder(socket_path().parent)
    except CamdaemonError as exc:
        return problem("folders", *split_error(exc))
    if os.access(folder, os.W_OK | os.X_OK):
        return ok("folders", f"control socket: {socket_path()}")
    return problem(
        "folders",
        f"the control socket's folder {folder} is not yours",
        "export CAMDAEMON_SOCKET=/tmp/camdaemon-$USER/control.sock",
    )


def check_space() -> Finding:
    """Return whether plates can be kept."""
    state = find_folder("state")
    folder = _nearest_folder(state)
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK | os.X_OK):
        return problem("folders", f"plates: {state} cannot be written, so none is kept", f"ls -ld {folder}")
    if free < _LEAST_FREE:
        return problem("folders", f"plates: {state}, only {free // 2**20} MB free", f"df -h {folder}")
    return ok("folders", f"plates: {state}, {free / 2**30:.0f} GB free")


def _nearest_folder(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    return next((folder for folder in (path, *path.parents) if os.path.isdir(folder)), Path("/"))
