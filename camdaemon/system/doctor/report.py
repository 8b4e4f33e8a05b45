"""Findings as people read them, and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from camdaemon.system.doctor.findings import Finding, Level

_COLOURS = {Level.OK: "green", Level.NOTE: "yellow", Level.PROBLEM: "bold red"}
_ABOUT = 11  # columns


def show(found: Iterable[Finding], *, as_json: bool) -> bool:
    """Print each finding as it comes (JSON: one list, at the end); whether there is a problem."""
    if as_json:
        all_of_them = list(found)
        print(json.dumps([dataclasses.asdict(finding) for finding in all_of_them]))
    else:
        all_of_them = []
        console = Console(highlight=False, soft_wrap=True)
        for finding in found:
            all_of_them.append(finding)
            _print(finding, console)
        console.print(_summary(all_of_them))
    return any(finding.level is Level.PROBLEM for finding in all_of_them)


def _print(finding: Finding, console: Console) -> None:
    first, *more = finding.says.splitlines()
    line = Text.assemble((f"{finding.level:<8}", _COLOURS[finding.level]), (f"{finding.about:<{_ABOUT}}", "dim"), first)
    console.print(line)
    indent = " " * (8 + _ABOUT)
    for text in more:
        console.print(Text(indent + text))
    if finding.fix:
        console.print(Text.assemble(indent, ("→ ", "dim"), (finding.fix, "cyan")))


def _summary(found: list[Finding]) -> Text:
    counts = {level: sum(finding.level is level for finding in found) for level in Level}
    notes = f"{counts[Level.NOTE]} note{'s' * (counts[Level.NOTE] != 1)}"
    if not counts[Level.PROBLEM]:
        return Text(f"\nNo problem, {notes}.", style="green")
    problems = f"{counts[Level.PROBLEM]} problem{'s' * (counts[Level.PROBLEM] != 1)}"
    return Text(f"\n{problems}, {notes}. An arrow is what to type or to do.", style="bold red")
