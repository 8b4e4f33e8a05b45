"""What `camdaemon setup` has to do on this machine, decided before anything is done."""

from __future__ import annotations

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.system.setup import accounts, devices, files, packages
from camdaemon.system.setup.files import Camera
from camdaemon.system.setup.loopback import NAME, Module, module, virtual_cameras
from camdaemon.system.setup.machine import Machine
from camdaemon.system.setup.steps import Plan, Step, Wanted


def make_plan(machine: Machine, wanted: Wanted) -> Plan:
    """Every step that is still missing; none of them when all is as wanted.

    ConfigError when a number belongs to another device or a file to somebody else, CamdaemonError when the module has
    to be reloaded while somebody uses it. Changes nothing.
    """
    known = module(machine)
    existing = {camera.number: camera for camera in virtual_cameras(machine)}
    missing, wrong = devices.compare(machine, wanted, existing)
    stay, notes = _file_steps(machine, wanted)
    away, made, left = devices.make(machine, wanted, known, existing, missing, wrong)
    untouched = [camera for camera in wanted.cameras if camera not in missing + wrong]
    steps = [
        *_install(machine, known),
        *away,  # before our files, which say what was ours
        *stay,  # before the devices, which get their rights as they appear
        *_udev(machine, stay),
        *_group(machine),
        *made,
        *_trigger(machine, stay, untouched),
    ]
    return Plan(tuple(steps), (*notes, *left))


def _install(machine: Machine, known: Module) -> list[Step]:
    if known.loaded or known.installed:
        return []
    if known.built_for:
        what = f"build {NAME} for this kernel, {machine.kernel}"
        why = f"it is only there for {', '.join(known.built_for)}"
        commands = packages.rebuild_commands(machine)
    else:
        what = f"install {NAME}"
        why = "this kernel module is what makes virtual cameras"
        commands = packages.install_commands(machine)
    if not commands:
        raise CamdaemonError(f"{NAME} is not installed; {packages.by_hand([])}, then: camdaemon setup")
    return [Step(what, why, command, by_hand=True) for command in commands]


def _file_steps(machine: Machine, wanted: Wanted) -> tuple[list[Step], list[str]]:
    whys = {
        files.OPTIONS: "the module makes the same camera each time it is loaded",
        files.LOAD: "the module is loaded at every start of the machine",
        files.RULES: "the group video may use the camera, and add others",
    }
    texts, notes = files.contents(wanted.cameras), []
    for path, others in files.options_elsewhere(machine).items():
        texts.pop(files.OPTIONS, None)
        if any((each.number, each.exclusive) == (camera.number, True) for each in others for camera in wanted.cameras):
            continue
        numbers = {camera.number for camera in wanted.cameras}
        line = files.option_line([*(each for each in others if each.number not in numbers), *wanted.cameras])
        local = path.replace("/usr/lib/", "/etc/").replace("/run/", "/etc/")
        notes.append(
            f"{path} gives the module options of its own, and beside them ours would not hold. To keep both cameras "
            f"over a restart, let that line in {local} be:\n    {line}"
        )
    steps = []
    for path, text in texts.items():
        if files.says_the_same(machine, path, text):
            continue
        if machine.exists(path) and not files.is_ours(machine, path):
            raise ConfigError(
                f"{path} was not written by camdaemon setup, so it stays as it is; look at it, and if it may go: "
                f"sudo rm {path}, then: camdaemon setup"
            )
        steps.append(Step(f"write {path}", whys[path], ("tee", path), text))
    return steps, notes


def _udev(machine: Machine, stay: list[Step]) -> list[Step]:
    if not machine.has("udevadm") or not any(step.file == files.RULES for step in stay):
        return []
    return [Step("have udev read its rules", "they hold from now on", ("udevadm", "control", "--reload"))]


def _trigger(machine: Machine, stay: list[Step], there: list[Camera]) -> list[Step]:
    """New rules are for new devices, unless udev is told to look at the old ones again."""
    if not there or not _udev(machine, stay):
        return []
    nodes = [f"--sysname-match=video{camera.number}" for camera in there]
    command = ("udevadm", "trigger", f"--sysname-match={NAME}", *nodes)
    return [Step("have udev look at the devices again", "the new rules apply to them too", command)]


def _group(machine: Machine) -> list[Step]:
    nobody = machine.user == "root" or not accounts.group_exists(machine)
    if nobody or accounts.is_member(machine) or accounts.has_seat_access(machine):
        return []
    command = ("usermod", "-aG", accounts.GROUP, machine.user)
    return [Step(f"put {machine.user} into the group video", "only root and that group may use cameras here", command)]
