"""A plan as people read it, and as they type it."""

from __future__ import annotations

import shlex

from camdaemon.system.setup.machine import Machine
from camdaemon.system.setup.steps import Plan, Step, Wanted


def show(machine: Machine, plan: Plan) -> None:
    for number, step in enumerate(plan.steps, 1):
        print(f"{number}. {step.what[0].upper()}{step.what[1:]}: {step.why}.")
        if step.text is None:
            print(f"     {shlex.join((*sudo(machine), *step.command))}")
        else:
            print("\n".join(f"     {line}" for line in step.text.splitlines()))
    print()
    print_notes(plan)


def typed(step: Step) -> str:
    """The step as root types it, on one line."""
    if step.text is None:
        return shlex.join(step.command)
    lines = " ".join(shlex.quote(line) for line in step.text.splitlines())
    return f"printf '%s\\n' {lines} | {shlex.join(step.command)} > /dev/null"


def sudo(machine: Machine) -> tuple[str, ...]:
    return () if machine.uid == 0 else ("sudo",)


def print_notes(plan: Plan) -> None:
    for note in plan.notes:
        print(f"Note: {note}\n")


def is_there(wanted: Wanted, plan: Plan) -> str:
    """'/dev/video10 (camdaemon) is there …'. What a plan has notes on is not promised."""
    names = " and ".join(f"/dev/video{camera.number} ({camera.label})" for camera in wanted.cameras)
    always = "" if plan.notes else ", now and after every start of the machine"
    return f"{names} {'is' if wanted.devices == 1 else 'are'} there{always}"


def print_next(wanted: Wanted) -> None:
    usual = wanted.number == 10 and wanted.devices == 1
    sinks = [] if usual else [f"--sink /dev/video{camera.number}" for camera in wanted.cameras]
    print("Next: " + " ".join(["camdaemon run", *sinks]))


def again(wanted: Wanted, install: bool) -> str:
    """The command that asked for this."""
    words = ["camdaemon", "setup"] + ["--install"] * install
    for option, given, usual in (
        ("--video-nr", wanted.number, 10),
        ("--label", wanted.label, "camdaemon"),
        ("--devices", wanted.devices, 1),
    ):
        words += [option, str(given)] if given != usual else []
    return shlex.join(words)
