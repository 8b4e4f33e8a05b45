"""What `camdaemon setup --hide-camera` has to do, and what brings the camera back; decided before anything is done."""

from __future__ import annotations

import os
import re

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.linux.hidden import GROUP, SOCKET
from camdaemon.system.machine import Machine, is_ours
from camdaemon.system.setup import hidden_files as files
from camdaemon.system.setup.hidden_files import Before, Camera
from camdaemon.system.setup.steps import Plan, Step

_SEE = "camdaemon devices"
_WHYS = {
    files.USER: "the service runs as a user of its own, the only member of its group",
    files.PROGRAM: "the service runs a copy that only root can change",
    f"{files.UNITS}/{files.SOCKET_UNIT}": "the service is started when camdaemon asks for the camera",
    f"{files.UNITS}/{files.SERVICE_UNIT}": "it gives the opened camera to the camdaemon of the user at the screen",
    files.RULES: "udev gives the camera to that group, each time it is plugged in",
    files.WIREPLUMBER: "WirePlumber does not list the camera",
    files.WIREPLUMBER_4: "WirePlumber does not list the camera",
}
_DROP_ACL = 'import os, sys; [os.removexattr(node, "system.posix_acl_access") for node in sys.argv[1:]]'
_RELOGIN = "PipeWire forgets the camera after: systemctl --user restart wireplumber"


def plan_hiding(machine: Machine, path: str) -> Plan:
    """Return every step that is still missing to hide the camera at `path`, next to those hidden before.

    Raises:
        ConfigError: there is no such camera, it cannot be hidden, or a file is not ours.
        CamdaemonError: the machine lacks systemd or Python.
    """
    camera, nodes = _find_camera(machine, path)
    _check_machine(machine)
    known = files.list_cameras(machine)
    open_nodes = [f"/dev/{name}" for name in nodes if not machine.is_hidden(f"/dev/{name}")]
    before = [each for each in files.list_before(machine) if each.node not in open_nodes]
    before += [_remember(machine, node) for node in open_nodes]
    texts = files.make_contents(machine, [*known, *([] if camera in known else [camera])], before)
    written = _plan_files(machine, texts)
    steps = [*written, *_plan_user(machine), *_plan_service(machine, written)]
    if files.RULES in {step.file for step in written} or open_nodes:
        steps += [*_plan_udev(machine, nodes), *_plan_taking(machine, open_nodes)]
    return Plan(tuple(steps), tuple(_list_notes(machine, camera, open_nodes, texts)))


def _find_camera(machine: Machine, path: str) -> tuple[Camera, list[str]]:
    name = os.path.basename(os.path.realpath(path))
    if not re.fullmatch(r"video[0-9]+", name) or not machine.exists(f"/sys/class/video4linux/{name}"):
        raise ConfigError(f"{path} is no camera. Run: {_SEE}")
    camera = files.identify(machine, name)
    if camera is None:
        raise ConfigError(
            f"{path} cannot be hidden: it is a virtual camera, or nothing tells it apart from others. Run: {_SEE}"
        )
    return camera, files.list_nodes(machine, camera)


def _check_machine(machine: Machine) -> None:
    for what, where in (("systemd", "/run/systemd/system"), ("Python", "/usr/bin/python3")):
        if not machine.exists(where):
            raise CamdaemonError(
                f"a camera cannot be hidden here: the service that hands it out needs {what}, and there is no {where}. "
                "Run: camdaemon doctor"
            )


def _remember(machine: Machine, node: str) -> Before:
    """Whose a node is now; what udev's own rules make of it where that cannot be asked."""
    owner, _, mode = machine.ask(["stat", "-c", "%U:%G %a", node]).out.strip().partition(" ")
    has_names = re.fullmatch(r"[\w-]+:[\w-]+", owner) and "UNKNOWN" not in owner
    is_known = has_names and re.fullmatch(r"[0-7]{3,4}", mode)
    return Before(node, owner, mode) if is_known else Before(node, "root:video", "660")


def _plan_files(machine: Machine, texts: dict[str, str]) -> list[Step]:
    changed = {path: text for path, text in texts.items() if machine.text(path) != text}
    for path in changed:
        if machine.exists(path) and not is_ours(machine.text(path)):
            raise ConfigError(
                f"{path} was not written by camdaemon setup and is kept; inspect it. To replace it, run: "
                f"sudo rm {path} && camdaemon setup --hide-camera …"
            )
    folders = sorted({os.path.dirname(path) for path in changed if not machine.exists(os.path.dirname(path))})
    steps = []
    if folders:
        why = "files go there that only root can change"
        steps.append(Step(f"make {' and '.join(folders)}", why, ("install", "-d", "-m", "0755", *folders)))
    steps += [Step(f"write {path}", _WHYS[path], ("tee", path), text) for path, text in changed.items()]
    if changed:
        why = "the service and WirePlumber read them, and only root changes them"
        steps.append(Step("make these files readable", why, ("chmod", "0644", *changed)))
    return steps


def _has_group(machine: Machine) -> bool:
    return re.search(rf"^{GROUP}:", machine.text("/etc/group") or "", re.M) is not None


def _plan_user(machine: Machine) -> list[Step]:
    if _has_group(machine):
        return []
    command: tuple[str, ...] = ("systemd-sysusers", files.USER)
    if not machine.has("systemd-sysusers"):
        command = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", GROUP)
    return [Step(f"make the user and the group {GROUP}", "no person is in that group", command)]


def _plan_service(machine: Machine, written: list[Step]) -> list[Step]:
    steps = []
    if any((step.file or "").startswith(files.UNITS) for step in written):
        steps.append(Step("have systemd read its units", "there is a new one", ("systemctl", "daemon-reload")))
    if steps or machine.ask(["systemctl", "is-active", files.SOCKET_UNIT]).code:
        command = ("systemctl", "enable", "--now", files.SOCKET_UNIT)
        steps.append(Step("start the service's socket", "now and after every start of the machine", command))
    return steps


def _plan_udev(machine: Machine, nodes: list[str]) -> list[Step]:
    """Have udev make an event: until then logind gives the camera, by its old tags, to whoever comes to the screen."""
    if not machine.has("udevadm"):
        return []
    names = [f"--sysname-match={name}" for name in nodes]
    command = ("udevadm", "trigger", "--settle", "--subsystem-match=video4linux", *names)
    steps = [Step("have udev reload its rules", "they apply from now on", ("udevadm", "control", "--reload"))]
    return steps + [Step("have udev look at the camera again", "the rules apply to it too", command)] * bool(names)


def _plan_taking(machine: Machine, nodes: list[str]) -> list[Step]:
    """What udev's rule does, at once and whether or not udev runs; and the end of what the user at the screen had."""
    if not nodes:
        return []
    steps = []
    if shared := [node for node in nodes if machine.read_access_list(node)]:
        command = ("/usr/bin/python3", "-I", "-c", _DROP_ACL, *shared)
        if machine.has("setfacl"):
            command = ("setfacl", "-b", *shared)
        steps.append(Step(f"close {' and '.join(shared)}", "the user at the screen may use it until now", command))
    names = " and ".join(nodes)
    return [
        *steps,
        Step(f"give {names} to the group", "its only member is the service", ("chgrp", GROUP, *nodes)),
        Step("open it to that group alone", "not to others", ("chmod", "0660", *nodes)),
    ]


def _list_notes(machine: Machine, camera: Camera, nodes: list[str], texts: dict[str, str]) -> list[str]:
    notes = ["This is courtesy, not security: what it does not stop is in docs/hide-camera.md."]
    if camera.vendor and not camera.serial:
        notes.append("This camera has no serial number, so every camera of its model is hidden.")
    users = dict.fromkeys(user for node in nodes for user in machine.list_holders(node))
    if users:
        notes.append(f"It is open in {', '.join(users)}, and stays open there until that is closed.")
    if nodes and {files.WIREPLUMBER, files.WIREPLUMBER_4} & texts.keys():
        notes.append(f"{_RELOGIN}.")
    return notes


def plan_showing(machine: Machine) -> Plan:
    """Return the steps that give every hidden camera back and leave nothing of the service. Changes nothing."""
    ours = [path for path in files.OURS if is_ours(machine.text(path))]
    notes = [
        f"{path} was not written by camdaemon setup and stays."
        for path in files.OURS
        if machine.exists(path) and path not in ours
    ]
    names = machine.names("/sys/class/video4linux", "video*")
    hidden = [name for name in names if machine.is_hidden(f"/dev/{name}")]
    units = [path for path in ours if path.startswith(files.UNITS)]
    steps = []
    if units:
        why = "no camera is hidden any more"
        steps.append(Step("stop the socket", why, ("systemctl", "disable", "--now", files.SOCKET_UNIT)))
        steps.append(Step("stop the service", why, ("systemctl", "stop", files.SERVICE_UNIT)))
    steps += _plan_giving_back(machine, [f"/dev/{name}" for name in hidden])
    if ours:
        steps.append(Step("remove what hides the camera", "nothing of it stays", ("rm", "-f", *ours)))
        steps += _plan_empty_folders(machine, ours)
    if units:
        steps.append(Step("have systemd read its units", "ours are gone", ("systemctl", "daemon-reload")))
    if files.RULES in ours or hidden:
        steps += _plan_udev(machine, hidden)
    if _has_group(machine) and (ours or hidden):
        drop = f"userdel {GROUP} && {{ ! getent group {GROUP} > /dev/null || groupdel {GROUP}; }}"
        steps.append(Step(f"remove the user and the group {GROUP}", "nothing belongs to them", ("sh", "-c", drop)))
    if {files.WIREPLUMBER, files.WIREPLUMBER_4} & set(ours):
        notes.append("PipeWire lists the camera again after: systemctl --user restart wireplumber")
    return Plan(tuple(steps), tuple(notes))


def _plan_giving_back(machine: Machine, nodes: list[str]) -> list[Step]:
    """As they were; udev, where it runs, does so too, and gives the user at the screen access again."""
    before = {each.node: each for each in files.list_before(machine)}
    steps = []
    for node in nodes:
        each = before.get(node, Before(node, "root:video", "660"))
        steps.append(Step(f"give {node} back", f"it was {each.owner}'s", ("chown", each.owner, node)))
        steps.append(Step(f"open {node} as it was", "its mode was changed", ("chmod", each.mode, node)))
    return steps


def _plan_empty_folders(machine: Machine, ours: list[str]) -> list[Step]:
    own = (files.PROGRAM, files.WIREPLUMBER, files.WIREPLUMBER_4)
    runtime = os.path.dirname(SOCKET)
    folders = [os.path.dirname(path) for path in ours if path in own] + [runtime] * machine.exists(runtime)
    if not folders:
        return []
    command = ("rmdir", "--ignore-fail-on-non-empty", *folders)
    return [Step("remove folders that are empty now", "they held these files", command)]
