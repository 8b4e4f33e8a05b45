"""Shows a plan, asks, carries it out, and checks that the camera is there."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable

from camdaemon.errors import CamdaemonError, ConfigError, DeviceError
from camdaemon.system import accounts
from camdaemon.system.loopback import find_module, list_virtual_cameras
from camdaemon.system.machine import Machine
from camdaemon.system.setup.hiding import plan_hiding, plan_showing
from camdaemon.system.setup.plan import plan_removal, plan_setup
from camdaemon.system.setup.steps import (
    Plan,
    Step,
    Wanted,
    describe_result,
    print_next,
    print_notes,
    print_plan,
    print_without_root,
    sudo,
    to_shell,
)

_UDEV_S = 5.0  # for udev to make the node and give it its rights
_REMOVE = "camdaemon setup --remove"
_SHOW = "camdaemon setup --unhide-camera"

UNCHANGED = "Nothing was changed."


def set_up(
    machine: Machine, wanted: Wanted, *, dry_run: bool, yes: bool, install: bool, agree: Callable[[str], bool]
) -> None:
    """Make the virtual cameras, and keep them over a restart. Prints what it does.

    Args:
        machine: the system to change.
        wanted: the virtual cameras.
        dry_run: only print the plan.
        yes: do not ask.
        install: also run the steps that install the module.
        agree: asks the user a question.

    Raises:
        ConfigError: what is wanted is impossible.
        CamdaemonError: a step failed, or is the user's to do; steps that are done stay done.
    """
    if not find_module(machine).is_loaded:
        print_without_root(machine)
    plan, command = plan_setup(machine, wanted), wanted.command(install=install)
    if not plan.steps:
        print_notes(plan)
        print(f"Nothing to do: {describe_result(wanted, plan)}.")
        print_next(wanted)
        return
    print_plan(machine, plan)
    if dry_run:
        print(UNCHANGED)
        return
    if not install and any(step.by_hand for step in plan.steps):
        raise CamdaemonError(
            f"the module has to be installed first. Type the command of step 1, then run: {command}\n"
            f"Or have it installed too. Run: {wanted.command(install=True)}"
        )
    if not _is_agreed(machine, plan, yes, agree, command):
        return
    _run_steps(machine, plan.steps, command)
    _verify(machine, wanted, plan)


def take_away(machine: Machine, *, dry_run: bool, yes: bool, agree: Callable[[str], bool]) -> bool:
    """Undo `set_up` and `hide_camera`. Arguments and errors as there.

    Returns:
        Whether nothing of it is left: not after a dry run, nor where the user did not agree.
    """
    shown, removed = plan_showing(machine), plan_removal(machine)
    plan = Plan((*shown.steps, *removed.steps), (*shown.notes, *removed.notes))
    nothing = "Nothing to remove: camdaemon setup has made nothing here."
    return _carry_out(machine, plan, _REMOVE, nothing, dry_run=dry_run, yes=yes, agree=agree)


def hide_camera(machine: Machine, path: str, *, dry_run: bool, yes: bool, agree: Callable[[str], bool]) -> bool:
    """Hide the camera at `path` from everything but camdaemon. Other arguments, errors and answer as for `take_away`.

    Raises:
        CamdaemonError: the camera is still open to others when all is done.
    """
    command = shlex.join(["camdaemon", "setup", "--hide-camera", path])
    nothing = f"Nothing to do: {path} is hidden."
    if not _carry_out(machine, plan_hiding(machine, path), command, nothing, dry_run=dry_run, yes=yes, agree=agree):
        return False
    if not machine.is_hidden(path):
        raise CamdaemonError(f"{path} is not hidden, although every step is done. Run: camdaemon doctor")
    print("camdaemon gets it as before. To undo it: camdaemon setup --unhide-camera")
    return True


def unhide_cameras(machine: Machine, *, dry_run: bool, yes: bool, agree: Callable[[str], bool]) -> bool:
    """Undo `hide_camera` for every hidden camera. Arguments, errors and answer as for `take_away`."""
    nothing = "Nothing to do: camdaemon setup has hidden no camera."
    return _carry_out(machine, plan_showing(machine), _SHOW, nothing, dry_run=dry_run, yes=yes, agree=agree)


def _carry_out(
    machine: Machine,
    plan: Plan,
    command: str,
    nothing: str,
    *,
    dry_run: bool,
    yes: bool,
    agree: Callable[[str], bool],
) -> bool:
    """Show the plan, ask, and do it; return whether all of it is done. `nothing` is said of an empty plan."""
    if not plan.steps:
        print_notes(plan)
        print(nothing)
        return True
    print_plan(machine, plan)
    if dry_run:
        print(UNCHANGED)
        return False
    if not _is_agreed(machine, plan, yes, agree, command):
        return False
    _run_steps(machine, plan.steps, command)
    print("\nDone.")
    return True


def _is_agreed(machine: Machine, plan: Plan, yes: bool, agree: Callable[[str], bool], command: str) -> bool:
    if machine.uid != 0 and not machine.has("sudo"):
        print("There is no sudo here. Type, as root:\n")
        print("\n".join(f"  {to_shell(step)}" for step in plan.steps))
        raise CamdaemonError(f"only root may do this. Become root (su -) and type the above, or run: {command}")
    if yes:
        return True
    if not machine.terminal:
        raise ConfigError(f"cannot ask for consent: this is no terminal. To do all of the above, run: {command} --yes")
    if agree("Do all this? [y/N] "):
        return True
    print(UNCHANGED)
    return False


def _run_steps(machine: Machine, steps: tuple[Step, ...], command: str) -> None:
    for step in steps:
        words = (*sudo(machine), *step.command)
        print(f"  {shlex.join(words)}", flush=True)
        code = machine.act(words, step.text)
        if code:
            raise CamdaemonError(
                f"could not {step.what}: exit code {code}; earlier steps stay done. Run: camdaemon doctor, then: "
                f"{command}"
            )


def _verify(machine: Machine, wanted: Wanted, plan: Plan) -> None:
    """Check that every camera is there and is ours; CamdaemonError says what is not."""
    end = time.monotonic() + _UDEV_S
    while (fault := _find_fault(machine, wanted)) and time.monotonic() < end:
        time.sleep(0.05)
    print()
    if fault:
        raise CamdaemonError(f"{fault}. Run: camdaemon doctor")
    print(f"Done: {describe_result(wanted, plan)}.")
    print_next(wanted)
    if not machine.may_use(f"/dev/video{wanted.number}"):
        why = "you are in the group video from the next login on" if accounts.is_member(machine) else "it is root's"
        print(f"You may not use it yet ({why}): log out and in again.")


def _find_fault(machine: Machine, wanted: Wanted) -> str:
    """What is wrong with the first camera that is not as wanted, or ''."""
    labels = {camera.number: camera.label for camera in list_virtual_cameras(machine)}
    for camera in wanted.cameras:
        path = f"/dev/video{camera.number}"
        if camera.number not in labels or not machine.exists(path):
            return f"{path} did not appear"
        if labels[camera.number] != camera.label:
            return f"{path} is called {labels[camera.number]!r}, not {camera.label!r}"
        if not machine.may_use(path):
            continue
        try:
            device = machine.describe(path)
        except DeviceError as exc:
            return str(exc)
        if not device.is_loopback or not (device.can_output or device.can_capture):
            return f"{path} is not a virtual camera that can be fed"
    return ""
