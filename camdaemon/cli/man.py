"""`camdaemon man`: the manual page, made from what `--help` says of every command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from camdaemon import __version__

_FILES = {
    "~/.config/camdaemon/config.toml": "The configuration. See camdaemon config.",
    "~/.local/state/camdaemon/": "Plates, which are photographs of the room, and what was chosen.",
    "~/.local/share/camdaemon/backdrops/": "Pictures and videos to choose from.",
    "~/.cache/camdaemon/": "What was measured and converted; it can be removed.",
}


def man(context: typer.Context) -> None:
    """Print the manual page. `camdaemon man | man -l -` shows it."""
    print("\n".join(_write_page(context.find_root())))


def _write_page(root: Any) -> Iterator[str]:
    """Yield the lines of camdaemon(1) in man's own markup, see man(7)."""
    whole = root.command
    yield f'.TH CAMDAEMON 1 "" "camdaemon {__version__}" "User Commands"'
    yield from (".SH NAME", rf"camdaemon \- {_escape(_join(whole.help).removesuffix('.').lower())}")
    yield from (".SH SYNOPSIS", r"\fBcamdaemon\fR \fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]")
    yield from (".SH DESCRIPTION", _escape(_join(whole.epilog)))
    yield from _write_options(whole, root)
    yield ".SH COMMANDS"
    yield from _write_commands(whole, root, "camdaemon")
    yield ".SH FILES"
    for name, text in _FILES.items():
        yield from (".TP", rf"\fI{_escape(name)}\fR", _escape(text))


def _write_commands(group: Any, parent: typer.Context, path: str) -> Iterator[str]:
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command.hidden:
            continue
        context = typer.Context(command, parent=parent, info_name=name)
        if hasattr(command, "commands"):
            yield from _write_commands(command, context, f"{path} {name}")
            continue
        yield f'.SS "{_escape(" ".join([path, name, *command.collect_usage_pieces(context)]))}"'
        yield from (_escape(_join(text)) for text in (command.help, command.epilog) if text)
        yield from _write_options(command, context)


def _write_options(command: Any, context: typer.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield from (".TP", rf"\fB{_escape(record[0])}\fR", _escape(_join(record[1])))


def _join(text: str | None) -> str:
    return " ".join((text or "").split())


def _escape(text: str) -> str:
    """Return `text` so that roff prints it as it stands."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{text}" if text.startswith((".", "'")) else text
