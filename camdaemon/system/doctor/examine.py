"""All checks in the order of dependence (outputs, devices, torch, desktop, camdaemon itself), and their output."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from camdaemon.errors import CamdaemonError
from camdaemon.system.doctor import (
    accelerator,
    cameras,
    hidden,
    module,
    own,
    pipewire,
    portal,
    sandboxes,
    secure_boot,
    session,
    virtual,
)
from camdaemon.system.doctor.findings import Check, Context, Finding, Level, note
from camdaemon.system.machine import Machine

CHECKS: Mapping[str, Check] = {
    "pipewire": pipewire.check,
    "portal": portal.check,
    "module": module.check,
    "secureboot": secure_boot.check,
    "virtual": virtual.check,
    "rights": session.check_rights,
    "hidden": hidden.check,
    "camera": cameras.check,
    "torch": accelerator.check,
    "desktop": session.check_desktop,
    "sandbox": sandboxes.check,
    "camdaemon": own.check,
}

_COLORS = {Level.OK: "green", Level.NOTE: "yellow", Level.PROBLEM: "bold red"}
_LEVEL_WIDTH, _ABOUT_WIDTH = 8, 11  # columns

UNCHECKED = "could not be checked"


def examine(
    machine: Machine, *, camera: str | None, measure: bool, begin: Callable[[str], None] = lambda _: None
) -> Iterator[Finding]:
    """Yield every finding, one by one.

    Args:
        machine: the system to examine.
        camera: path of the camera to examine; None: the configured one.
        measure: also measure the camera's real frame rate.
        begin: called with the name of each of `CHECKS` before it runs.
    """
    config, finding = own.load_configuration()
    yield finding
    yield from run_checks(
        Context(machine, config, camera or config.source, _get_status(), cameras.measure if measure else None),
        CHECKS,
        begin,
    )


def run_checks(
    context: Context, checks: Mapping[str, Check], begin: Callable[[str], None] = lambda _: None
) -> Iterator[Finding]:
    """Yield what `checks` find. A check that fails becomes a note, so that the others still run."""
    for name, check in checks.items():
        begin(name)
        try:
            yield from check(context)
        except Exception as exc:
            yield note(name, f"this {UNCHECKED} ({type(exc).__name__}: {exc})")


def _get_status() -> Mapping[str, object] | None:
    """The status of the running daemon; None when none answers."""
    from camdaemon.control.client import Client

    try:
        status: Mapping[str, object] = Client().status()
        return status
    except CamdaemonError:
        return None


@contextlib.contextmanager
def show_progress(*, hidden: bool) -> Iterator[tuple[Console, Callable[[str], None]]]:
    """Show a bar below what is printed while the block runs, on a terminal: looking for a GPU takes seconds.

    Args:
        hidden: no bar.

    Yields:
        The console to print on, and what `examine` is to call.
    """
    console = Console(highlight=False, soft_wrap=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task("", total=len(CHECKS))
        began = itertools.count()
        yield console, lambda name: bar.update(task, description=f"checking {name}", completed=next(began))


def print_findings(found: Iterable[Finding], *, as_json: bool, console: Console | None = None) -> bool:
    """Print each finding as it comes (JSON: one list, at the end), and return whether there is a problem."""
    if as_json:
        findings = list(found)
        print(json.dumps([dataclasses.asdict(finding) for finding in findings]))
    else:
        findings = []
        console = console or Console(highlight=False, soft_wrap=True)
        for finding in found:
            findings.append(finding)
            _print_finding(finding, console)
        console.print(_summarize(findings))
    return any(finding.level is Level.PROBLEM for finding in findings)


def _print_finding(finding: Finding, console: Console) -> None:
    first, *more = finding.says.splitlines()
    level, about = f"{finding.level:<{_LEVEL_WIDTH}}", f"{finding.about:<{_ABOUT_WIDTH}}"
    console.print(Text.assemble((level, _COLORS[finding.level]), (about, "dim"), first))
    indent = " " * (_LEVEL_WIDTH + _ABOUT_WIDTH)
    for text in more:
        console.print(Text(indent + text))
    if finding.fix:
        console.print(Text.assemble(indent, ("→ ", "dim"), (finding.fix, "cyan")))


def _summarize(findings: list[Finding]) -> Text:
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    notes = f"{counts[Level.NOTE]} note{'s' * (counts[Level.NOTE] != 1)}"
    if not counts[Level.PROBLEM]:
        return Text(f"\nNo problems, {notes}.", style="green")
    problems = f"{counts[Level.PROBLEM]} problem{'s' * (counts[Level.PROBLEM] != 1)}"
    return Text(f"\n{problems}, {notes}. An arrow shows what to type or to do.", style="bold red")
