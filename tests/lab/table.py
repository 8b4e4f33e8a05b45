"""The lab's one table: for the terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_LONGEST = 400  # characters of a story
_HIDDEN = ("saw", "frames", "marked_most")  # in the JSON and the scenario's folder, too long for a row


@dataclass(frozen=True, slots=True)
class Result:
    """How a scenario went with one v4l2loopback. outcome: ok, FAIL, xfail (a known fault) or n.a."""

    scenario: str
    version: str
    outcome: str
    reason: str
    seconds: float
    figures: dict[str, object]


def line(result: Result) -> str:
    """One result, for the terminal."""
    told = result.reason if result.outcome != "ok" else figures(result)
    return f"{result.scenario:<20} {result.version:<7} {result.outcome:<5} {result.seconds:6.1f} s  {told}"


def figures(result: Result) -> str:
    """The key figures, in one line."""
    return ", ".join(f"{name} {value}" for name, value in result.figures.items() if name not in _HIDDEN)


def markdown(results: list[Result]) -> str:
    """The whole table."""
    rows = ["| scenario | v4l2loopback | | seconds | figures |", "| --- | --- | --- | --- | --- |"]
    for each in results:
        told = "; ".join(part for part in (each.reason, figures(each)) if part).replace("|", "\\|")
        rows.append(f"| {each.scenario} | {each.version} | {each.outcome} | {each.seconds:.0f} | {told} |")
    return "\n".join(rows) + "\n"


def stories(results: list[Result]) -> str:
    """What viewers saw, picture by picture: the words of the judge, each with how many in a row."""
    rows = ["| scenario | v4l2loopback | pictures | what viewers saw, in order |", "| --- | --- | --- | --- |"]
    for each in results:
        if "saw" in each.figures:
            saw = str(each.figures["saw"]).replace("|", "; then another:")
            saw = saw if len(saw) < _LONGEST else saw[: _LONGEST // 2] + " … " + saw[-_LONGEST // 2 :]
            rows.append(f"| {each.scenario} | {each.version} | {each.figures['frames']} | {saw} |")
    return "\n".join(rows) + "\n"


def write(results: list[Result], folder: Path) -> None:
    """`results.md` and `results.json` in `folder`."""
    (folder / "results.md").write_text(f"{markdown(results)}\n{stories(results)}")
    (folder / "results.json").write_text(json.dumps([asdict(each) for each in results], indent=1) + "\n")
