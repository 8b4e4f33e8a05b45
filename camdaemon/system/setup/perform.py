"""Shows a plan, asks, does it, and looks whether the camera is there."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable

from camdaemon.errors import CamdaemonError, ConfigError, DeviceError
from camdaemon.system.setup import accounts, shown
from camdaemon.system.setup.loopback import virtual_cameras
from camdaemon.system.setup.machine import Machine
from camdaemon.system.setup.plan import make_plan
from camdaemon.system.setup.removal import plan_removal
from camdaemon.system.setup.steps import Plan, Step, Wanted

_PATIENCE_S = 5.0  # for udev to make the node and give it its rights


def set_up(
    machine: Machine, wanted: Wanted, *, dry_run: bool, yes: bool, install: bool, agree: Callable[[str], bool]
) -> None:
    """Make the virtual camera and keep it. `agree`: asks the person, unless `yes`. Prints what it does.

    ConfigError: what is asked for cannot be. CamdaemonError: a step failed or is the user's; done steps stay done.
    """
    plan, again = make_plan(machine, wanted), shown.again(wanted, install)
    if not plan.steps:
        shown.print_notes(plan)
        print(f"Nothing to do: {shown.is_there(wanted, plan)}.")
        shown.print_next(wanted)
        return
    shown.show(machine, plan)
    if dry_run:
        print("Nothing was done.")
        return
    if not install and any(step.by_hand for step in plan.steps):
        raise CamdaemonError(
            f"the module comes first: type what step 1 says, then: {again}, or have that done too: "
            f"{shown.again(wanted, True)}"
        )
    if not _agreed(machine, plan, yes, agree, again):
        return
    _do(machine, plan.steps, again)
    _verify(machine, wanted, plan)


def take_away(machine: Machine, *, dry_run: bool, yes: bool, agree: Callable[[str], bool]) -> None:
    """Undo `set_up`. Errors as there."""
    plan = plan_removal(machine)
    if not plan.steps:
        shown.print_notes(plan)
        print("Nothing to remove: nothing of camdaemon setup is here.")
        return
    shown.show(machine, plan)
    if dry_run:
        print("Nothing was done.")
        return
    again = "camdaemon setup --remove"
    if _agreed(machine, plan, yes, agree, again):
        _do(machine, plan.steps, again)
        print("\nDone. Your settings, plates and backdrops stay.")


def _agreed(machine: Machine, plan: Plan, yes: bool, agree: Callable[[str], bool], again: str) -> bool:
    if machine.uid != 0 and not machine.has("sudo"):
        print("There is no sudo here. Type, as root:\n")
        print("\n".join(f"  {shown.typed(step)}" for step in plan.steps))
        raise CamdaemonError(f"only root may do this; become root (su -) and type the above, or: {again}")
    if yes:
        return True
    if not machine.terminal:
        raise ConfigError(
            f"nobody can be asked here: this is no terminal; if all of the above may be done: {again} --yes"
        )
    if agree("Do all this? [y/N] "):
        return True
    print("Nothing was done.")
    return False


def _do(machine: Machine, steps: tuple[Step, ...], again: str) -> None:
    for step in steps:
        command = (*shown.sudo(machine), *step.command)
        print(f"  {shlex.join(command)}", flush=True)
        code = machine.act(command, step.text)
        if code:
            raise CamdaemonError(
                f"could not {step.what} (exit code {code}); what was done before stays. See what is wrong: "
                f"camdaemon doctor, then: {again}"
            )


def _verify(machine: Machine, wanted: Wanted, plan: Plan) -> None:
    """That every camera is there, as a camera of ours. CamdaemonError says what is not."""
    end = time.monotonic() + _PATIENCE_S
    while (wrong := _wrong(machine, wanted)) and time.monotonic() < end:
        time.sleep(0.05)
    print()
    if wrong:
        raise CamdaemonError(f"{wrong}; see what is wrong: camdaemon doctor")
    print(f"Done: {shown.is_there(wanted, plan)}.")
    shown.print_next(wanted)
    if not machine.may_use(f"/dev/video{wanted.number}"):
        why = "you are in the group video from the next login on" if accounts.is_member(machine) else "it is root's"
        print(f"You may not use it yet ({why}): log out and in again.")


def _wrong(machine: Machine, wanted: Wanted) -> str:
    """A sentence, or ''."""
    there = {camera.number: camera.label for camera in virtual_cameras(machine)}
    for camera in wanted.cameras:
        path = f"/dev/video{camera.number}"
        if camera.number not in there or not machine.exists(path):
            return f"{path} did not appear"
        if there[camera.number] != camera.label:
            return f"{path} is called {there[camera.number]!r}, not {camera.label!r}"
        if not machine.may_use(path):
            continue
        try:
            device = machine.describe(path)
        except DeviceError as exc:
            return str(exc)
        if not device.is_loopback or not (device.can_output or device.can_capture):
            return f"{path} is no virtual camera that can be fed"
    return ""
