"""The virtual cameras: can browsers list them, can we feed them, who has them open, and is the configured one there?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from camdaemon.errors import ConfigError
from camdaemon.linux import v4l2
from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem
from camdaemon.system.setup.files import BUFFERS
from camdaemon.system.setup.loopback import (
    NAME,
    VirtualCamera,
    holders,
    is_exclusive,
    is_stuck,
    module,
    virtual_cameras,
)
from camdaemon.system.setup.machine import Machine
from camdaemon.system.setup.shown import again
from camdaemon.system.setup.steps import Wanted

_ONLY_LOOKING = ("wireplumber", "pipewire")  # they hold cameras open without watching


def check(context: Context) -> Iterator[Finding]:
    cameras = virtual_cameras(context.machine)
    for camera in cameras:
        yield from _camera(context, camera)
    for sink in context.sinks:
        yield _sink(context, cameras, sink)


def is_pinned(machine: Machine, camera: VirtualCamera) -> bool:
    """Whether its format is fixed. Where the node may not be asked: it looks fed, and nobody is seen to have it."""
    kept = machine.control(camera.path, v4l2.KEEP_FORMAT)
    if kept is not None:
        return bool(kept)
    return camera.state == "capture" and not module(machine).in_use


def _camera(context: Context, camera: VirtualCamera) -> Iterator[Finding]:
    machine, path = context.machine, camera.path
    ours = path in context.sinks
    wrong = problem if ours else note  # another program's device is that program's affair
    faults = list(_faults(machine, camera, ours))
    for says, fix in faults:
        yield wrong("virtual", f"{path} ({camera.label}) {says}", fix)
    users = [_named(context, user) for user in holders(machine, path)]
    open_in = f", open in {', '.join(users)}" if users else ""
    if not faults:
        yield ok("virtual", f"{path} ({camera.label}) is a camera that browsers can list while it is fed{open_in}")
    if ours:
        yield from _buffers(machine, camera)
    yield from _viewers(context, camera, users)


def _named(context: Context, user: str) -> str:
    """A daemon that was started as a module is called python."""
    return f"camdaemon {context.daemon_pid}" if context.daemon_pid and user.endswith(context.daemon_pid) else user


def _faults(machine: Machine, camera: VirtualCamera, ours: bool) -> Iterator[tuple[str, str]]:
    path = camera.path
    if is_stuck(machine, camera):
        fix = _setup(camera) if ours else f"sudo modprobe -r {NAME} && sudo modprobe {NAME}"
        yield "is stuck: its last producer left it as neither camera nor output", fix
    elif is_exclusive(machine, camera) is False:
        fix = _setup(camera) if ours else "say exclusive_caps=1 where its options are, in /etc/modprobe.d"
        yield "has exclusive_caps=0: Chrome and Chromium do not list it", fix
    if is_pinned(machine, camera):
        form = f" at {camera.format}" if camera.format else ""
        yield f"is pinned{form} (keep_format): nobody can feed it", f"sudo v4l2loopback-ctl set-caps {path} any"


def _setup(camera: VirtualCamera) -> str:
    """The command that makes this camera anew."""
    try:
        return again(Wanted(camera.number, camera.label), install=False)
    except ConfigError:  # a label that setup does not write
        return again(Wanted(camera.number), install=False)


def _buffers(machine: Machine, camera: VirtualCamera) -> Iterator[Finding]:
    count = _buffer_count(machine, camera)
    if count is not None and count < BUFFERS:
        yield note(
            "virtual",
            f"{camera.path} has {count} buffers; a slow reader can get torn pictures",
            f"sudo modprobe -r {NAME} && {_setup(camera)}",
        )


def _buffer_count(machine: Machine, camera: VirtualCamera) -> int | None:
    """By the device itself where it says, else by what the module was loaded with; None where neither tells."""
    said = machine.ask(["v4l2loopback-ctl", "query", camera.path]).out if module(machine).can_add else ""
    if found := re.search(r"max_buffers\s*:\s*(\d+)", said):
        return int(found[1])
    folder = f"/sys/module/{NAME}/parameters"
    loaded_with = (machine.text(f"{folder}/video_nr") or "").strip().split(",")
    count = (machine.text(f"{folder}/max_buffers") or "").strip()
    return int(count) if str(camera.number) in loaded_with and count.isdigit() else None


def _viewers(context: Context, camera: VirtualCamera, users: list[str]) -> Iterator[Finding]:
    others = [user for user in users if not (context.daemon_pid and user.endswith(context.daemon_pid))]
    watching = [user for user in others if not user.startswith(_ONLY_LOOKING)]
    if len(watching) > 1 and module(context.machine).number >= (0, 13):
        yield note(
            "virtual",
            f"{camera.path} is open in {', '.join(watching)}; since 0.13 only one program at a time gets its picture",
            "close the others, or give each its own: camdaemon setup --devices 2",
        )
    if camera.state == "capture" and watching and not context.daemon_pid and not is_pinned(context.machine, camera):
        yield note(
            "virtual", f"a program that is no camdaemon feeds {camera.path}: one of {', '.join(watching)}", "close that"
        )


def _sink(context: Context, cameras: list[VirtualCamera], sink: str) -> Finding:
    if not sink.startswith("/dev/"):
        return ok("sink", f"the configured sink is {sink}, no device")
    if any(camera.path == sink for camera in cameras):
        return ok("sink", f"{sink} is the configured sink, and it is there")
    number = sink.removeprefix("/dev/video")
    fix = f"camdaemon setup --video-nr {number}" if number.isdigit() and number != "10" else "camdaemon setup"
    if context.machine.exists(sink):
        return problem("sink", f"the configured sink {sink} is no virtual camera", "camdaemon setup --video-nr 10")
    if cameras:
        there = cameras[0].path
        return problem("sink", f"the configured sink {sink} is not there", f"{fix}, or: camdaemon run --sink {there}")
    return problem("sink", f"there is no virtual camera; the configured sink is {sink}", fix)
