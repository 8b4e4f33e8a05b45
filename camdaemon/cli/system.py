"""`camdaemon setup`, `doctor` and `service`: their options. What they do is in the package `system`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from camdaemon.cli.asking import agree, is_terminal
from camdaemon.errors import ConfigError

service = typer.Typer(help="camdaemon as a service, restarted after a failure; when it starts; its place in the menu.")

_Erase = Annotated[
    bool, typer.Option("--erase", help="With --remove, erase plates, settings and cache, too, without a question.")
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")]


def setup(
    video_nr: Annotated[int, typer.Option(help="Device number: 10 for /dev/video10.")] = 10,
    label: Annotated[str, typer.Option(help="Camera name, as Meet, Zoom and Teams list it.")] = "camdaemon",
    devices: Annotated[int, typer.Option(help="Number of virtual cameras.")] = 1,
    dry_run: _DryRun = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what setup has made.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the question.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Install the module's package as well.")] = False,
    erase: _Erase = False,
    hide_camera: Annotated[
        str | None,
        typer.Option(metavar="/dev/videoN", help="Only this: hide a camera from all programs but camdaemon."),
    ] = None,
    unhide_camera: Annotated[
        bool, typer.Option("--unhide-camera", help="Only this: give every hidden camera back to all programs.")
    ] = False,
) -> None:
    """Create the virtual camera and keep it across restarts. Shows every step, then asks."""
    from camdaemon.system.machine import this_machine
    from camdaemon.system.setup import perform
    from camdaemon.system.setup.perform import set_up, take_away
    from camdaemon.system.setup.steps import Wanted

    machine = this_machine()
    if erase and not remove:
        raise ConfigError("--erase goes with --remove. Run: camdaemon setup --remove --erase")
    if [hide_camera is not None, unhide_camera, remove].count(True) > 1:
        raise ConfigError("--hide-camera, --unhide-camera and --remove exclude each other. Run: camdaemon setup --help")
    if hide_camera is not None:
        perform.hide_camera(machine, hide_camera, dry_run=dry_run, yes=yes, agree=agree)
    elif unhide_camera:
        perform.unhide_cameras(machine, dry_run=dry_run, yes=yes, agree=agree)
    elif remove:
        if take_away(machine, dry_run=dry_run, yes=yes, agree=agree) or dry_run:
            _offer_to_erase("camdaemon setup --remove", erase, dry_run)
    else:
        set_up(machine, Wanted(video_nr, label, devices), dry_run=dry_run, yes=yes, install=install, agree=agree)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="JSON output, for scripts.")] = False,
    camera: Annotated[str | None, typer.Option(help="Camera to check.", show_default="as configured")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure the camera's real frame rate, for 2 s.")] = False,
) -> None:
    """Check this machine and print a fix for each problem. Changes nothing."""
    from camdaemon.system.doctor.examine import examine, print_findings, show_progress
    from camdaemon.system.machine import this_machine

    with show_progress(hidden=as_json) as (console, begin):
        found = examine(this_machine(), camera=camera, measure=measure, begin=begin)
        has_problem = print_findings(found, as_json=as_json, console=console)
    if has_problem:
        raise typer.Exit(1)


@service.command()
def install(
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start it now and at each login.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a unit that camdaemon did not write.")] = False,
    dry_run: _DryRun = False,
) -> None:
    """Write unit file, menu entry and icon, and start the service. Run it again after an upgrade."""
    from camdaemon.system import service as unit

    unit.install(start=start, force=force, dry_run=dry_run)


@service.command()
def remove(
    force: Annotated[bool, typer.Option("--force", help="Remove a unit that camdaemon did not write.")] = False,
    dry_run: _DryRun = False,
    erase: Annotated[
        bool, typer.Option("--erase", help="Erase plates, settings and cache, too, without a question.")
    ] = False,
) -> None:
    """Stop the service and remove unit file, menu entry and icon. Names what stays, and offers to erase it."""
    from camdaemon.system import service as unit

    unit.remove(force=force, dry_run=dry_run)
    _offer_to_erase("camdaemon service remove", erase, dry_run)


@service.command()
def start() -> None:
    """Start camdaemon unless it runs: the service where it is installed, else a process of its own."""
    from camdaemon.cli.starting import start_without_terminal

    print("camdaemon runs." if start_without_terminal() else "camdaemon runs already.")


class When(StrEnum):
    """When camdaemon starts by itself."""

    ON = "on"
    OFF = "off"
    DESKTOP = "desktop"


@service.command()
def autostart(
    when: Annotated[When, typer.Argument(help="At each login, never, or with the desktop (hotkeys may need that).")],
) -> None:
    """Switch the start at each login on or off. Now nothing is started or stopped."""
    from camdaemon.system import service as unit

    unit.set_autostart(when.value)


def _offer_to_erase(command: str, erase: bool, dry_run: bool) -> None:
    from camdaemon.system.leftovers import offer_to_erase

    offer_to_erase(command, erase=erase, dry_run=dry_run, is_terminal=is_terminal(), agree=agree)


@service.command()
def status() -> None:
    """Show whether it is installed, enabled and running, and where its log is."""
    from camdaemon.system import service as unit

    unit.status()
