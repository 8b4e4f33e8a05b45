"""The virtual cameras: can browsers list them, can we feed them, who has them open, and is the configured one there?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from camdaemon.errors import ConfigError
from camdaemon.linux import v4l2
from camdaemon.linux.devices import is_device_path, is_one_of
from camdaemon.system.doctor.findings import ONLY_LOOKING, Context, Finding, note, ok, problem
from camdaemon.system.loopback import (
    NAME,
    VirtualCamera,
    find_module,
    is_exclusive,
    is_stuck,
    list_virtual_cameras,
)
from camdaemon.system.machine import Machine
from camdaemon.system.setup.files import BUFFERS
from camdaemon.system.setup.steps import Wanted


def check(context: Context) -> Iterator[Finding]:
    """Yield the state of each virtual camera, and whether the configured sinks are among them."""
    cameras = list_virtual_cameras(context.machine)
    for camera in cameras:
        yield from _check_camera(context, camera)
    for sink in context.sinks:
        yield _check_sink(context, cameras, sink)


def _is_pinned(machine: Machine, camera: VirtualCamera) -> bool:
    """Whether the camera's format is fixed. Where its node may not be asked: it looks fed, but no program has it."""
    keep_format = machine.read_control(camera.path, v4l2.KEEP_FORMAT)
    if keep_format is not None:
        return bool(keep_format)
    return camera.state == "capture" and not find_module(machine).is_in_use


def _check_camera(context: Context, camera: VirtualCamera) -> Iterator[Finding]:
    machine, path = context.machine, camera.path
    is_sink = is_one_of(path, context.sinks)
    if not is_sink and is_one_of(path, [context.camera]):
        return  # the source, which is looked at as a camera
    make = problem if is_sink else note  # another program's device is that program's affair
    faults = list(_find_faults(machine, camera, is_sink))
    for says, fix in faults:
        yield make("virtual", f"{path} ({camera.label}) {says}", fix)
    users = machine.list_holders(path)
    open_in = f", open in {', '.join(_name(context, user) for user in users)}" if users else ""
    if not faults:
        yield ok("virtual", f"{path} ({camera.label}) is a camera that browsers can list while it is fed{open_in}")
    if is_sink:
        yield from _check_buffers(machine, camera)
        yield from _check_users(context, camera, users)


def _name(context: Context, user: str) -> str:
    """A daemon that was started as a module is called python."""
    return f"camdaemon {context.daemon_pid}" if not context.without_daemon([user]) else user


def _find_faults(machine: Machine, camera: VirtualCamera, is_sink: bool) -> Iterator[tuple[str, str]]:
    """What is wrong, and the fix."""
    path = camera.path
    if is_stuck(machine, camera):
        fix = _setup_command(camera) if is_sink else f"sudo modprobe -r {NAME} && sudo modprobe {NAME}"
        yield "is stuck: its last producer left it as neither camera nor output", fix
    elif is_exclusive(machine, camera) is False:
        fix = _setup_command(camera) if is_sink else "set exclusive_caps=1 where its options are, in /etc/modprobe.d"
        yield "has exclusive_caps=0: Chrome and Chromium do not list it", fix
    if is_sink and _is_pinned(machine, camera):
        form = f" at {camera.format}" if camera.format else ""
        yield f"is pinned{form} (keep_format): no program can feed it", f"sudo v4l2loopback-ctl set-caps {path} any"


def _setup_command(camera: VirtualCamera) -> str:
    """The command that makes this camera again."""
    try:
        return Wanted(camera.number, camera.label).command()
    except ConfigError:  # a label that setup does not write
        return Wanted(camera.number).command()


def _check_buffers(machine: Machine, camera: VirtualCamera) -> Iterator[Finding]:
    count = _count_buffers(machine, camera)
    if count is not None and count < BUFFERS:
        yield note(
            "virtual",
            f"{camera.path} has {count} buffers; a slow reader can get torn pictures",
            f"sudo modprobe -r {NAME} && {_setup_command(camera)}",
        )


def _count_buffers(machine: Machine, camera: VirtualCamera) -> int | None:
    """As the device tells, else as the module was loaded; None where neither tells."""
    answer = machine.ask(["v4l2loopback-ctl", "query", camera.path]).out if find_module(machine).can_add else ""
    if found := re.search(r"max_buffers\s*:\s*(\d+)", answer):
        return int(found[1])
    folder = f"/sys/module/{NAME}/parameters"
    loaded_with = (machine.text(f"{folder}/video_nr") or "").strip().split(",")
    count = (machine.text(f"{folder}/max_buffers") or "").strip()
    return int(count) if str(camera.number) in loaded_with and count.isdigit() else None


def _check_users(context: Context, camera: VirtualCamera, users: list[str]) -> Iterator[Finding]:
    others = [user for user in context.without_daemon(users) if not user.startswith(ONLY_LOOKING)]
    if len(others) > 1 and find_module(context.machine).number >= (0, 13):
        yield note(
            "virtual",
            f"{camera.path} is open in {', '.join(others)}; since 0.13 only one program at a time gets its picture",
            "close the others, or give each its own: camdaemon setup --devices 2",
        )
    if camera.state == "capture" and others and not context.daemon_pid and not _is_pinned(context.machine, camera):
        says = f"{camera.path} is fed by a program other than camdaemon, one of {', '.join(others)}"
        yield note("virtual", says, "close that program")


def _check_sink(context: Context, cameras: list[VirtualCamera], sink: str) -> Finding:
    if sink.partition(":")[0] == "pipewire":
        return ok("sink", "the configured sink is a camera in PipeWire")
    if not is_device_path(sink):
        return ok("sink", f"the configured sink is {sink}, which is not a device")
    if any(camera.path == sink for camera in cameras):
        return ok("sink", f"the configured sink {sink} is there")
    number = sink.removeprefix("/dev/video")
    fix = f"camdaemon setup --video-nr {number}" if number.isdigit() and number != "10" else "camdaemon setup"
    fix += ", or, for programs that read PipeWire: camdaemon run --sink pipewire" * context.has_pipewire
    if context.machine.exists(sink):
        return problem("sink", f"the configured sink {sink} is not a virtual camera", "camdaemon setup --video-nr 10")
    if cameras:
        path = cameras[0].path
        return problem("sink", f"the configured sink {sink} does not exist", f"{fix}, or: camdaemon run --sink {path}")
    return problem("sink", f"there is no virtual camera; the configured sink is {sink}", fix)
