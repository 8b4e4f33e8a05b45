"""What typer makes of the commands: how it finds, lists and explains them.

A correct line for the running daemon never gets here, see `live`: `--help` and mistakes do.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from camdaemon.cli import live
from camdaemon.cli.placeholders import name_placeholders
from camdaemon.control import table
from camdaemon.control.table import REQUIRED, Command, Parameter
from camdaemon.frames.kinds import BACKDROPS, syntax_of

# Of pydantic's errors, with which typer refuses a value, by their type.
_EXPECTED = {
    "greater_than_equal": "a number from {ge:g} on",
    "less_than_equal": "a number up to {le:g}",
    "greater_than": "a number over {gt:g}",
    "less_than": "a number under {lt:g}",
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "finite_number": "a finite number",
}


class SectionedGroup(TyperGroup):
    """A group whose commands stand under the heading that `rich_help_panel` names, each with its first paragraph.

    typer itself does that only with rich, which takes as long to load as all the rest of `camdaemon --help`.
    """

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command with that name, its values named for people."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            name_placeholders(command)
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the command; see click. What is wrong with a value is said in our words."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as exc:
            exc.message = _explain(exc)
            raise

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
    """The root, which finds commands by names of one or two words: those of the table, and `plate list` beside it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the whole command line; see click. In --sink=~/out.mp4 most shells leave the home folder to us."""
        return super().parse_args(ctx, [_expand_home(word) for word in args])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return (name, command, the words after its name); see click."""
        two = " ".join(args[:2])
        if len(args) > 1 and (local := self.get_command(ctx, two)):
            return two, local, args[2:]
        found = table.match(args)
        if found is None:
            return super().resolve_command(ctx, args)
        command, rest = found
        return command.word, self.get_command(ctx, command.word), rest


def _explain(mistake: typer.BadParameter) -> str:
    """Say what was expected and what was typed, where pydantic says it in words of its own."""
    list_errors = getattr(mistake.__cause__, "errors", None)
    error = list_errors()[0] if list_errors else {}
    if template := _EXPECTED.get(error.get("type", "")):
        expected = template.format(**error.get("ctx", {}))
    else:
        expected = mistake.message.partition("Input should be ")[2]
    if not expected:
        return mistake.message.removeprefix("Value error, ")
    return f"expected {expected}, not {error['input']!r}"


def _expand_home(word: str) -> str:
    option, equals, value = word.partition("=")
    is_option = bool(equals) and option.startswith("--")
    return f"{option}={os.path.expanduser(value)}" if is_option else os.path.expanduser(word)


def add_commands(app: typer.Typer, heading: str) -> None:
    """Add every command of the table to `app`, listed under `heading`."""
    for command in table.TABLE:
        if command.typed and command.socket:
            add = app.command(command.word, rich_help_panel=heading, help=command.help, epilog=_see_also(command))
            add(_make_function(command))


def _see_also(command: Command) -> str | None:
    """Name the other sub-commands at the end of the default one's help."""
    others = [row for row in table.TABLE if row is not command and row.name.startswith(f"{command.word} ")]
    return " ".join(["See also", *(f"camdaemon {row.name}: {row.help}" for row in others)]) if others else None


def _make_function(command: Command) -> Callable[..., None]:
    """Make the function that typer reads a command's arguments from."""

    def run(**values: Any) -> None:
        found = live.complete(command, {name: value for name, value in values.items() if value is not None})
        if found is None:
            raise typer.BadParameter("an argument is missing")
        live.run(*found)

    parameters = [_describe(command, parameter) for parameter in command.parameters]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _describe(command: Command, parameter: Parameter) -> inspect.Parameter:
    kind: Any = {"number": float, "flag": bool}.get(parameter.kind, str)
    default = parameter.initial
    if default is REQUIRED and command.instead:
        default = None
    limits: dict[str, Any] = {"min": parameter.low, "max": parameter.high} if parameter.kind == "number" else {}
    syntax = f": {syntax_of(BACKDROPS)}" if parameter.kind == "backdrop" else ""
    help_text = f"{parameter.help}{syntax}."
    if default is None and command.instead:
        other = table.find(command.instead).help
        help_text += f" Without it: {other[0].lower()}{other[1:]}"
    if parameter.kind == "flag":
        how: Any = typer.Option("/".join(live.flag_names(parameter)), help=help_text)
    elif parameter.option:
        how = typer.Option(help=help_text, **limits)
    else:
        how = typer.Argument(help=help_text)
    return inspect.Parameter(
        parameter.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is REQUIRED else default,
        annotation=Annotated[kind | None if default is None else kind, how],
    )
