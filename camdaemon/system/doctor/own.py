"""Our own things: configuration, weights, the daemon, its socket's folder, and room for plates."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from camdaemon.config.schema import Config, default_path, load
from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames.card import LOST, STANDBY
from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem

_PLATES = 100 * 2**20  # bytes; a plate of 4K is a tenth of that


def configuration() -> tuple[Config, Finding]:
    """The effective configuration (the defaults where the file is wrong), and what is to say of the file."""
    where = default_path()
    try:
        config = load(None, {})
    except ConfigError as exc:
        message = str(exc).rpartition("\n")[0] or str(exc)
        return Config(), problem("config", message, "mend it, then: camdaemon config --check")
    says = f"{where} is valid" if where.is_file() else f"there is no {where}; the defaults hold"
    return config, ok("config", says)


def check(context: Context) -> Iterator[Finding]:
    yield from scenes(context.config)
    yield from weights(context.config)
    yield from daemon(context)
    yield from folders()


def scenes(config: Config) -> Iterator[Finding]:
    from camdaemon.control.scenes import check_scenes

    try:
        check_scenes(config)
    except ConfigError as exc:
        yield problem("scenes", str(exc), "mend the configuration, then: camdaemon config --check")
        return
    if config.scenes:
        yield ok("scenes", f"all are ready: {', '.join(config.scenes)}")


def weights(config: Config) -> Iterator[Finding]:
    if config.matting != "bgmv2":
        return
    if config.weights != "default":
        path = Path(config.weights).expanduser()
        if os.access(path, os.R_OK):
            yield ok("weights", f"{path} is there (not from us, so it has no checksum)")
        else:
            yield problem("weights", f"{path} cannot be read", "camdaemon run --weights default")
        return
    from camdaemon.matting.bgmv2.matting import default_weights

    try:
        yield ok("weights", f"{default_weights().name} is whole")
    except ConfigError as exc:
        says, _, _ = str(exc).partition("; ")
        yield problem("weights", says, "pipx reinstall camdaemon")


def daemon(context: Context) -> Iterator[Finding]:
    now = context.status
    if now is None:
        yield ok("daemon", "no camdaemon is running; start it with: camdaemon run")
        return
    running, camera = f"camdaemon is running (pid {now.get('pid')})", str(now.get("camera"))
    if camera == LOST.title.lower():
        yield problem("daemon", f"{running} and has lost its camera", "plug it in again; then: camdaemon status")
    elif now.get("plate") == "missing":
        yield note("daemon", f"{running} and has no plate yet", "camdaemon plate")
    elif camera == STANDBY.title.lower():
        yield ok("daemon", f"{running} and stands by until somebody watches")
    elif camera != "ok":
        yield note("daemon", f"{running} and has no picture: {camera}", "camdaemon status")
    else:
        rates = f"{now.get('fps_in')} frames a second in, {now.get('fps_out')} out"
        yield ok("daemon", f"{running}: {now.get('mode')}, {rates}")


def folders() -> Iterator[Finding]:
    from camdaemon.control.instance import socket_path

    try:
        folder = _existing(socket_path().parent)
        if os.access(folder, os.W_OK | os.X_OK):
            yield ok("folders", f"the control socket has a place: {socket_path()}")
        else:
            yield problem(
                "folders",
                f"the control socket's folder {folder} is not yours",
                "export CAMDAEMON_SOCKET=/tmp/camdaemon-$USER/control.sock",
            )
    except CamdaemonError as exc:
        says, _, fix = str(exc).rpartition("; ")
        yield problem("folders", says or fix, fix)
    state = platformdirs.user_state_path("camdaemon")
    free = shutil.disk_usage(_existing(state)).free
    if free < _PLATES:
        yield problem(
            "folders", f"{free // 2**20} MB are free where plates are kept ({state})", f"df -h {_existing(state)}"
        )
    else:
        yield ok("folders", f"plates are kept in {state}, {free / 2**30:.0f} GB are free there")


def _existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that is there."""
    return next((folder for folder in (path, *path.parents) if os.path.isdir(folder)), Path("/"))
