"""The lab's table of results, for the terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_LONGEST = 400  # characters of a story
_HIDDEN = ("saw", "frames", "marked_most")  # too long for a row; in the JSON and the scenario's folder


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a scenario with one v4l2loopback."""

    scenario: str
    version: str
    outcome: str  # ok, FAIL, xfail (a known bug) or n.a.
    reason: str
    seconds: float
    figures: dict[str, object]


def format_line(result: Result) -> str:
    """Format a result for the terminal."""
    text = result.reason if result.outcome != "ok" else format_figures(result)
    return f"{result.scenario:<20} {result.version:<7} {result.outcome:<5} {result.seconds:6.1f} s  {text}"


def format_figures(result: Result) -> str:
    """Format the key figures in one line."""
    return ", ".join(f"{name} {value}" for name, value in result.figures.items() if name not in _HIDDEN)


def format_markdown(results: list[Result]) -> str:
    """Format the whole table."""
    rows = ["| scenario | v4l2loopback | | seconds | figures |", "| --- | --- | --- | --- | --- |"]
    for each in results:
        text = "; ".join(part for part in (each.reason, format_figures(each)) if part).replace("|", "\\|")
        rows.append(f"| {each.scenario} | {each.version} | {each.outcome} | {each.seconds:.0f} | {text} |")
    return "\n".join(rows) + "\n"


def format_stories(results: list[Result]) -> str:
    """Format what viewers saw, picture by picture: the judge's words, each with how many in a row."""
    rows = ["| scenario | v4l2loopback | pictures | what viewers saw, in order |", "| --- | --- | --- | --- |"]
    for each in results:
        if "saw" in each.figures:
            saw = str(each.figures["saw"]).replace("|", "; then another:")
            saw = saw if len(saw) < _LONGEST else saw[: _LONGEST // 2] + " … " + saw[-_LONGEST // 2 :]
            rows.append(f"| {each.scenario} | {each.version} | {each.figures['frames']} | {saw} |")
    return "\n".join(rows) + "\n"


def write(results: list[Result], folder: Path) -> None:
    """Write `results.md` and `results.json` into `folder`."""
    (folder / "results.md").write_text(f"{format_markdown(results)}\n{format_stories(results)}")
    (folder / "results.json").write_text(json.dumps([asdict(each) for each in results], indent=1) + "\n")
