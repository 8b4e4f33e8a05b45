"""How `--help` lists commands: under their headings, each with its first paragraph."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup


class SectionedGroup(TyperGroup):
    """A group whose commands stand under the heading that `rich_help_panel` names.

    typer itself does that only with rich, which takes as long to load as all the rest of `camdaemon --help`.
    """

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Writes the lists into click's `formatter`."""
        headings: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            first = " ".join((command.help or "").partition("\n\n")[0].split())
            headings.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append((name, first))
        for heading, commands in headings.items():
            with formatter.section(heading):
                formatter.write_dl(commands)
