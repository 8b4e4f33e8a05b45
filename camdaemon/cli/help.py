"""How commands are found and listed: sub-commands with a default one, and `--help` under headings."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from camdaemon.control import table


class SectionedGroup(TyperGroup):
    """A group whose commands stand under the heading that `rich_help_panel` names, each with its first paragraph.

    typer itself does that only with rich, which takes as long to load as all the rest of `camdaemon --help`.
    """

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the lists into click's `formatter`."""
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


class LiveGroup(SectionedGroup):
    """The root, which finds the table's commands by their names of one or two words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return (name, command, the words after its name); see click."""
        found = table.match(args)
        if found is None:
            return super().resolve_command(ctx, args)
        command, rest = found
        return command.word, self.get_command(ctx, command.word), rest
