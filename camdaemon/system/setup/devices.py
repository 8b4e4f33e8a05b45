"""How the wanted virtual cameras come to be: which are missing, and the steps that make them."""

from __future__ import annotations

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.system.loopback import NAME, Module, VirtualCamera, is_exclusive, is_stuck
from camdaemon.system.machine import Machine
from camdaemon.system.setup import files
from camdaemon.system.setup.files import CameraOptions
from camdaemon.system.setup.steps import Step, Wanted

Existing = dict[int, VirtualCamera]  # by number


def compare(machine: Machine, wanted: Wanted, existing: Existing) -> tuple[list[CameraOptions], list[CameraOptions]]:
    """Return the wanted cameras that are missing, and those that exist, are ours, and differ from what is wanted.

    Raises:
        ConfigError: a number belongs to another device.
    """
    missing, wrong = [], []
    ours = {camera.number for camera in files.our_cameras(machine)}
    for camera in wanted.cameras:
        present = existing.get(camera.number)
        if present is None:
            _refuse_taken(machine, camera.number)
            missing.append(camera)
        elif present.label == camera.label:
            useless = is_exclusive(machine, present) is False or is_stuck(machine, present)
            wrong += [camera] if useless else []
        elif present.number in ours or present.is_unnamed:
            wrong.append(camera)
        else:
            owner = f"the virtual camera {present.label!r}, which camdaemon setup did not make"
            raise _taken_error(machine, camera.number, owner)
    return missing, wrong


def _refuse_taken(machine: Machine, number: int) -> None:
    folder = f"/sys/class/video4linux/video{number}"
    if machine.exists(folder):
        name = (machine.text(f"{folder}/name") or "").strip() or "another device"
        raise _taken_error(machine, number, name)


def _taken_error(machine: Machine, number: int, owner: str) -> ConfigError:
    used = set(machine.names("/sys/class/video4linux")) | set(machine.names("/dev", "video*"))
    free = next(other for other in range(10, 256) if f"video{other}" not in used)
    return ConfigError(f"/dev/video{number} is taken by {owner}. Run: camdaemon setup --video-nr {free}")


def _find_unwanted(machine: Machine, wanted: Wanted, existing: Existing) -> list[VirtualCamera]:
    """Return the cameras that an earlier setup made and this one does not name: they go."""
    keep = {camera.number for camera in wanted.cameras}
    ours = {(camera.number, camera.label) for camera in files.our_cameras(machine) if camera.number not in keep}
    return [camera for camera in existing.values() if (camera.number, camera.label) in ours]


def plan_devices(
    machine: Machine,
    wanted: Wanted,
    module: Module,
    existing: Existing,
    missing: list[CameraOptions],
    wrong: list[CameraOptions],
) -> tuple[list[Step], list[Step], list[str]]:
    """Return steps that remove what is in the way, steps that make what is wanted, and notes.

    Raises:
        CamdaemonError: a device that is in the way is in use.
    """
    unwanted = _find_unwanted(machine, wanted, existing)
    if not module.is_loaded:
        return [], [_load(wanted.cameras)] if missing else [], []
    if module.can_add:
        replaced = [existing[camera.number] for camera in wrong]
        return _delete(machine, replaced + unwanted), _add(missing + wrong), []
    if missing or wrong or (unwanted and not module.is_in_use):
        kept = _find_kept(machine, wanted, existing, unwanted)
        return _unload(machine, module, existing), [_load((*kept, *wanted.cameras))], []
    return [], [], [f"{camera.path} is in use and stays until the module is reloaded." for camera in unwanted]


def _load(cameras: tuple[CameraOptions, ...]) -> Step:
    names = " and ".join(f"/dev/video{camera.number}" for camera in cameras)
    return Step("load the module", f"it makes {names}", ("modprobe", NAME, *files.module_options(cameras)))


def _delete(machine: Machine, cameras: list[VirtualCamera]) -> list[Step]:
    steps = []
    for camera in cameras:
        if users := machine.list_holders(camera.path):
            raise CamdaemonError(
                f"{camera.path} cannot be removed: it is open in {', '.join(users)}. Close that, then run: "
                "camdaemon setup"
            )
        why = f"{camera.label!r} is not what is wanted"
        steps.append(Step(f"remove {camera.path}", why, ("v4l2loopback-ctl", "delete", camera.path)))
    return steps


def _add(cameras: list[CameraOptions]) -> list[Step]:
    steps = []
    for camera in cameras:
        path = f"/dev/video{camera.number}"
        flags = ("-n", camera.label, "-x", "1", "-b", str(files.BUFFERS))
        why = "the module is already loaded, and its other devices stay"
        steps.append(Step(f"add {path}", why, ("v4l2loopback-ctl", "add", *flags, path)))
    return steps


def _unload(machine: Machine, module: Module, existing: Existing) -> list[Step]:
    """This module, or this machine without v4l2loopback-ctl, cannot add a device: all are made again at once."""
    users = [user for camera in existing.values() for user in machine.list_holders(camera.path)]
    if users or module.is_in_use:
        who = ", ".join(dict.fromkeys(users)) or "a program of another user (see: sudo fuser -v /dev/video*)"
        raise CamdaemonError(
            f"{NAME} cannot be reloaded, which changing its devices requires: one is open in {who}. Close that, then "
            "run: camdaemon setup"
        )
    return [Step("unload the module", "it cannot change its devices while it is loaded", ("modprobe", "-r", NAME))]


def _find_kept(
    machine: Machine, wanted: Wanted, existing: Existing, unwanted: list[VirtualCamera]
) -> tuple[CameraOptions, ...]:
    """The cameras of others, which come back together with ours."""
    numbers = {camera.number for camera in wanted.cameras}
    return tuple(
        CameraOptions(camera.number, camera.label, is_exclusive(machine, camera) is not False)
        for camera in existing.values()
        if camera.number not in numbers and camera not in unwanted and not camera.is_unnamed
    )
