"""How the wanted virtual cameras come to be: which are missing, and what makes them."""

from __future__ import annotations

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.system.setup import files
from camdaemon.system.setup.files import Camera
from camdaemon.system.setup.loopback import NAME, Module, VirtualCamera, holders, is_exclusive, is_stuck
from camdaemon.system.setup.machine import Machine
from camdaemon.system.setup.steps import Step, Wanted

Existing = dict[int, VirtualCamera]  # by number


def compare(machine: Machine, wanted: Wanted, existing: Existing) -> tuple[list[Camera], list[Camera]]:
    """The wanted cameras that are not there, and those that are there, ours, and not as wanted."""
    missing, wrong = [], []
    mine = {camera.number for camera in files.our_cameras(machine)}
    for camera in wanted.cameras:
        there = existing.get(camera.number)
        if there is None:
            _refuse_taken(machine, camera.number)
            missing.append(camera)
        elif there.label == camera.label:
            useless = is_exclusive(machine, there) is False or is_stuck(machine, there)
            wrong += [camera] if useless else []
        elif there.number in mine or there.unnamed:
            wrong.append(camera)
        else:
            raise _taken(machine, camera.number, f"the virtual camera {there.label!r}, which setup did not make")
    return missing, wrong


def _refuse_taken(machine: Machine, number: int) -> None:
    folder = f"/sys/class/video4linux/video{number}"
    if machine.exists(folder):
        name = (machine.text(f"{folder}/name") or "").strip() or "another device"
        raise _taken(machine, number, name)


def _taken(machine: Machine, number: int, name: str) -> ConfigError:
    used = set(machine.names("/sys/class/video4linux")) | set(machine.names("/dev", "video*"))
    free = next(other for other in range(10, 256) if f"video{other}" not in used)
    return ConfigError(f"/dev/video{number} is {name}; take another number: camdaemon setup --video-nr {free}")


def unwanted(machine: Machine, wanted: Wanted, existing: Existing) -> list[VirtualCamera]:
    """Those that an earlier setup made and this one does not name: setup makes what is asked for and no more."""
    keep = {camera.number for camera in wanted.cameras}
    mine = {(camera.number, camera.label) for camera in files.our_cameras(machine) if camera.number not in keep}
    return [camera for camera in existing.values() if (camera.number, camera.label) in mine]


def make(
    machine: Machine, wanted: Wanted, known: Module, existing: Existing, missing: list[Camera], wrong: list[Camera]
) -> tuple[list[Step], list[Step], list[str]]:
    """Steps that take away what is in the way, steps that make what is wanted, and notes.

    CamdaemonError when one that is in use is in the way.
    """
    spare = unwanted(machine, wanted, existing)
    if not known.loaded:
        return [], [_load(wanted.cameras)] if missing else [], []
    if known.can_add:
        anew = [existing[camera.number] for camera in wrong]
        return _delete(machine, anew + spare), _add(missing + wrong), []
    if missing or wrong or (spare and not known.in_use):
        kept = _kept(machine, wanted, existing, spare)
        return _unload(machine, known, existing), [_load((*kept, *wanted.cameras))], []
    return [], [], [f"{camera.path} is in use and stays until the module is loaded anew." for camera in spare]


def _load(cameras: tuple[Camera, ...]) -> Step:
    names = " and ".join(f"/dev/video{camera.number}" for camera in cameras)
    return Step("load the module", f"it makes {names}", ("modprobe", NAME, *files.module_options(cameras)))


def _delete(machine: Machine, cameras: list[VirtualCamera]) -> list[Step]:
    steps = []
    for camera in cameras:
        if users := holders(machine, camera.path):
            raise CamdaemonError(
                f"{camera.path} has to go and is open in {', '.join(users)}; close that, then: camdaemon setup"
            )
        why = f"{camera.label!r} is not what is asked for"
        steps.append(Step(f"take {camera.path} away", why, ("v4l2loopback-ctl", "delete", camera.path)))
    return steps


def _add(cameras: list[Camera]) -> list[Step]:
    steps = []
    for camera in cameras:
        path = f"/dev/video{camera.number}"
        flags = ("-n", camera.label, "-x", "1", "-b", str(files.BUFFERS))
        why = "the module is loaded already; its other devices stay"
        steps.append(Step(f"add {path}", why, ("v4l2loopback-ctl", "add", *flags, path)))
    return steps


def _unload(machine: Machine, known: Module, existing: Existing) -> list[Step]:
    """This module, or this machine without v4l2loopback-ctl, cannot add a device: all are made anew at once."""
    users = [user for camera in existing.values() for user in holders(machine, camera.path)]
    if users or known.in_use:
        who = ", ".join(dict.fromkeys(users)) or "a program of another user (see: sudo fuser -v /dev/video*)"
        raise CamdaemonError(
            f"{NAME} has to be loaded anew, but its devices are open in {who}; close that, then: camdaemon setup"
        )
    return [Step("unload the module", "as it is, it cannot change its devices", ("modprobe", "-r", NAME))]


def _kept(machine: Machine, wanted: Wanted, existing: Existing, spare: list[VirtualCamera]) -> tuple[Camera, ...]:
    """The cameras of others, which come back with ours."""
    numbers = {camera.number for camera in wanted.cameras}
    return tuple(
        Camera(camera.number, camera.label, is_exclusive(machine, camera) is not False)
        for camera in existing.values()
        if camera.number not in numbers and camera not in spare and not camera.unnamed
    )
