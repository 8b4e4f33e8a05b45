"""The scenarios there are, and what each one says of itself. They are files in scenarios/; see docs/lab.md."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "scenarios"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file. timeout: seconds for the whole guest.   xfail: why it is known to fail ('': it is not)."""

    name: str
    says: str
    timeout: float
    xfail: str


def scenarios() -> list[Scenario]:
    """All of them, by name. They are read, not imported: what they import is for the guest."""
    return [_read(path) for path in sorted(_FOLDER.glob("[a-z]*.py"))]


def _read(path: Path) -> Scenario:
    tree = ast.parse(path.read_text())
    said = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            try:
                said[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:  # computed: its own affair
                continue
    first = (ast.get_docstring(tree) or "").partition("\n")[0]
    name = path.stem.replace("_", "-")
    return Scenario(name, first, said.get("TIMEOUT", 120.0), said.get("XFAIL", ""))
