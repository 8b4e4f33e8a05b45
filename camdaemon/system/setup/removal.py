"""What `camdaemon setup --remove` takes away: what setup made here, and nothing else."""

from __future__ import annotations

from camdaemon.errors import CamdaemonError
from camdaemon.system.setup import accounts, files
from camdaemon.system.setup.loopback import NAME, holders, module, virtual_cameras
from camdaemon.system.setup.machine import Machine
from camdaemon.system.setup.steps import Plan, Step


def plan_removal(machine: Machine) -> Plan:
    """Steps that undo setup. CamdaemonError when one of our cameras is in use. Changes nothing."""
    mine = [path for path in files.OURS if files.is_ours(machine, path)]
    notes = [
        f"{path} was not written by camdaemon setup and stays."
        for path in files.OURS
        if machine.exists(path) and path not in mine
    ]
    devices, left = _devices(machine)
    whys = {
        files.OPTIONS: "the module makes no camera of ours any more",
        files.LOAD: "the module is not loaded for us any more",
        files.RULES: "these rights are not needed any more",
    }
    steps = [*devices, *(Step(f"remove {path}", whys[path], ("rm", "-f", path)) for path in mine)]
    if files.RULES in mine and machine.has("udevadm"):
        steps.append(Step("have udev read its rules", "ours is gone", ("udevadm", "control", "--reload")))
    if steps and accounts.is_member(machine) and machine.user != "root":
        notes.append(f"You stay in the group video; leave it with: sudo gpasswd -d {machine.user} {accounts.GROUP}")
    return Plan(tuple(steps), (*left, *notes))


def _devices(machine: Machine) -> tuple[list[Step], list[str]]:
    """Steps for the cameras of our file of options, and notes on those that must stay until a restart."""
    named = {(camera.number, camera.label) for camera in files.our_cameras(machine)}
    there = virtual_cameras(machine)
    mine = [camera for camera in there if (camera.number, camera.label) in named]
    known = module(machine)
    users = [user for camera in mine for user in holders(machine, camera.path)]
    if users:
        raise CamdaemonError(
            f"the virtual camera is open in {', '.join(dict.fromkeys(users))}; close that first (camdaemon: "
            "camdaemon stop), then: camdaemon setup --remove"
        )
    if mine and known.can_add:
        return [
            Step(f"take {camera.path} away", "setup made it", ("v4l2loopback-ctl", "delete", camera.path))
            for camera in mine
        ], []
    if mine and len(mine) == len(there):
        return [Step("unload the module", "it has no cameras but ours", ("modprobe", "-r", NAME))], []
    paths = ", ".join(camera.path for camera in mine)
    return [], [f"{paths} stays until the machine starts anew: the module has other cameras too."] if mine else []
