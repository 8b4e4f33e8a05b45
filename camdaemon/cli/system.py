"""`camdaemon setup` and `camdaemon doctor`: their options. What they do is in `setup` and `doctor`."""

from __future__ import annotations

from typing import Annotated

import typer


def setup(
    video_nr: Annotated[int, typer.Option(help="Number of the device: 10 makes /dev/video10.")] = 10,
    label: Annotated[str, typer.Option(help="The name that Meet, Zoom and Teams list.")] = "camdaemon",
    devices: Annotated[int, typer.Option(help="How many virtual cameras.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take away what setup has made.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Install the module's package too.")] = False,
) -> None:
    """Make the virtual camera, and keep it over a restart. Shows every step first, and asks."""
    from camdaemon.system.setup.machine import this_machine
    from camdaemon.system.setup.perform import set_up, take_away
    from camdaemon.system.setup.steps import Wanted

    machine = this_machine()
    if remove:
        take_away(machine, dry_run=dry_run, yes=yes, agree=_agree)
    else:
        set_up(machine, Wanted(video_nr, label, devices), dry_run=dry_run, yes=yes, install=install, agree=_agree)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
    camera: Annotated[str | None, typer.Option(help="The camera to look at; none: the configured one.")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure the camera's real rate for 2 s.")] = False,
) -> None:
    """What is right and what is wrong on this machine, each with its remedy. Changes nothing."""
    from camdaemon.system.doctor.examine import examine
    from camdaemon.system.doctor.report import show
    from camdaemon.system.setup.machine import this_machine

    if show(examine(this_machine(), camera=camera, measure=measure), as_json=as_json):
        raise typer.Exit(1)


def _agree(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False
