"""The scenarios: files in scenarios/, and what each one declares. See docs/lab.md."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "scenarios"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario."""

    name: str
    claim: str  # what must hold: the first line of its docstring
    timeout: float  # seconds for the whole guest
    xfail: str  # why it is known to fail; '': it is not


def scenarios() -> list[Scenario]:
    """Return all scenarios by name. Their files are parsed, not imported: what they import exists in the guest."""
    return [_read(path) for path in sorted(_FOLDER.glob("[a-z]*.py"))]


def _read(path: Path) -> Scenario:
    tree = ast.parse(path.read_text())
    declared = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                declared[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:  # computed: for the scenario alone
                continue
    first = (ast.get_docstring(tree) or "").partition("\n")[0]
    name = path.stem.replace("_", "-")
    return Scenario(name, first, declared.get("TIMEOUT", 120.0), declared.get("XFAIL", ""))
