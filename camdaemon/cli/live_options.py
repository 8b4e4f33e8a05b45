"""The commands of the table as typer knows them: for --help, and to explain what is wrong with a line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from camdaemon.cli import live
from camdaemon.control import table
from camdaemon.control.table import REQUIRED, Command, Parameter
from camdaemon.frames.kinds import BACKDROPS, syntax_of


def add_commands(app: typer.Typer, heading: str) -> None:
    """Add every command of the table to `app`, listed under `heading`."""
    for command in table.TABLE:
        if command.typed and command.socket:
            app.command(command.word, rich_help_panel=heading, help=command.help)(_make_function(command))


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
