"""What `camdaemon setup` and `camdaemon setup --remove` have to do on this machine, decided before anything is done."""

from __future__ import annotations

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.system import accounts
from camdaemon.system.loopback import NAME, Module, find_module, list_virtual_cameras
from camdaemon.system.machine import Machine, is_ours
from camdaemon.system.setup import devices, files, packages
from camdaemon.system.setup.files import CameraOptions
from camdaemon.system.setup.steps import Plan, Step, Wanted


def plan_setup(machine: Machine, wanted: Wanted) -> Plan:
    """Return every step that is still missing; no steps when all is as wanted. Changes nothing.

    Raises:
        ConfigError: a number belongs to another device, or a file is not ours.
        CamdaemonError: the module has to be reloaded while a program uses it.
    """
    module = find_module(machine)
    existing = {camera.number: camera for camera in list_virtual_cameras(machine)}
    missing, wrong = devices.compare(machine, wanted, existing)
    written, notes = _plan_files(machine, wanted)
    removed, made, left = devices.plan_devices(machine, wanted, module, existing, missing, wrong)
    untouched = [camera for camera in wanted.cameras if camera not in missing + wrong]
    steps = [
        *_plan_package(machine, module),
        *removed,  # before our files, which tell which devices were ours
        *written,  # before the devices, which get their rights as they appear
        *_plan_udev(machine, written),
        *_plan_group(machine),
        *made,
        *_plan_trigger(machine, written, untouched),
    ]
    return Plan(tuple(steps), (*notes, *left))


def _plan_package(machine: Machine, module: Module) -> list[Step]:
    if module.is_loaded or module.is_installed:
        return []
    if module.built_for:
        what = f"build {NAME} for this kernel, {machine.kernel}"
        why = f"it is only built for {', '.join(module.built_for)}"
        commands = packages.rebuild_commands(machine)
    else:
        what = f"install {NAME}"
        why = "this kernel module makes virtual cameras"
        commands = packages.install_commands(machine)
    if not commands:
        raise CamdaemonError(f"{NAME} is not installed: {packages.to_shell([])}, then run: camdaemon setup")
    return [Step(what, why, command, by_hand=True) for command in commands]


def _plan_files(machine: Machine, wanted: Wanted) -> tuple[list[Step], list[str]]:
    whys = {
        files.OPTIONS: "the module makes the same camera each time it is loaded",
        files.LOAD: "the module is loaded at every start of the machine",
        files.RULES: "the group video may use the camera, and add others",
    }
    texts, notes = files.make_contents(wanted.cameras), []
    for path, others in files.find_other_options(machine).items():
        texts.pop(files.OPTIONS, None)
        notes += _note_on_options(wanted, path, others)
    steps = []
    for path, text in texts.items():
        if files.has_same_content(machine, path, text):
            continue
        if machine.exists(path) and not is_ours(machine.text(path)):
            raise ConfigError(
                f"{path} was not written by camdaemon setup and is kept; inspect it. To replace it, run: "
                f"sudo rm {path} && camdaemon setup"
            )
        steps.append(Step(f"write {path}", whys[path], ("tee", path), text))
    return steps, notes


def _note_on_options(wanted: Wanted, path: str, others: list[CameraOptions]) -> list[str]:
    """What to write into another file that gives the module options; nothing when ours are in it already."""
    if any((each.number, each.exclusive) == (camera.number, True) for each in others for camera in wanted.cameras):
        return []
    numbers = {camera.number for camera in wanted.cameras}
    line = files.option_line([*(each for each in others if each.number not in numbers), *wanted.cameras])
    local = path.replace("/usr/lib/", "/etc/").replace("/run/", "/etc/")
    return [
        f"{path} already gives the module options, and a second file would conflict with it. To keep both cameras "
        f"after a restart, make this the line in {local}:\n    {line}"
    ]


def _plan_udev(machine: Machine, written: list[Step]) -> list[Step]:
    if not machine.has("udevadm") or not any(step.file == files.RULES for step in written):
        return []
    return [Step("have udev reload its rules", "they apply from now on", ("udevadm", "control", "--reload"))]


def _plan_trigger(machine: Machine, written: list[Step], untouched: list[CameraOptions]) -> list[Step]:
    """New rules apply to new devices only, unless udev is told to look at the existing ones again."""
    if not untouched or not _plan_udev(machine, written):
        return []
    nodes = [f"--sysname-match=video{camera.number}" for camera in untouched]
    command = ("udevadm", "trigger", f"--sysname-match={NAME}", *nodes)
    return [Step("have udev look at the existing devices again", "the new rules apply to them too", command)]


def _plan_group(machine: Machine) -> list[Step]:
    if machine.user == "root" or not accounts.group_exists(machine):
        return []
    if accounts.is_member(machine) or accounts.has_seat_access(machine):
        return []
    command = ("usermod", "-aG", accounts.GROUP, machine.user)
    return [Step(f"put {machine.user} into the group video", "only root and that group may use cameras here", command)]


def plan_removal(machine: Machine) -> Plan:
    """Return the steps that undo setup: what setup made here, and nothing else. Changes nothing.

    Raises:
        CamdaemonError: one of our cameras is in use.
    """
    ours = [path for path in files.OURS if is_ours(machine.text(path))]
    notes = [
        f"{path} was not written by camdaemon setup and stays."
        for path in files.OURS
        if machine.exists(path) and path not in ours
    ]
    removed, left = _plan_device_removal(machine)
    whys = {
        files.OPTIONS: "the module no longer makes a camera for us",
        files.LOAD: "the module is no longer loaded for us",
        files.RULES: "these rights are no longer needed",
    }
    steps = [*removed, *(Step(f"remove {path}", whys[path], ("rm", "-f", path)) for path in ours)]
    if files.RULES in ours and machine.has("udevadm"):
        steps.append(Step("have udev reload its rules", "ours are gone", ("udevadm", "control", "--reload")))
    if steps and accounts.is_member(machine) and machine.user != "root":
        notes.append(f"You stay in the group video. To leave it: sudo gpasswd -d {machine.user} {accounts.GROUP}")
    return Plan(tuple(steps), (*left, *notes))


def _plan_device_removal(machine: Machine) -> tuple[list[Step], list[str]]:
    """Steps for the cameras in our options file, and notes on those that must stay until a restart."""
    named = {(camera.number, camera.label) for camera in files.our_cameras(machine)}
    existing = list_virtual_cameras(machine)
    ours = [camera for camera in existing if (camera.number, camera.label) in named]
    users = [user for camera in ours for user in machine.list_holders(camera.path)]
    if users:
        raise CamdaemonError(
            f"the virtual camera is open in {', '.join(dict.fromkeys(users))}. Close that (camdaemon itself: "
            "camdaemon stop), then run: camdaemon setup --remove"
        )
    if ours and find_module(machine).can_add:
        return [
            Step(f"remove {camera.path}", "setup made it", ("v4l2loopback-ctl", "delete", camera.path))
            for camera in ours
        ], []
    if ours and len(ours) == len(existing):
        return [Step("unload the module", "it has no cameras but ours", ("modprobe", "-r", NAME))], []
    paths = ", ".join(camera.path for camera in ours)
    return [], [f"{paths} stays until the next start of the machine: the module has other cameras too."] if ours else []
