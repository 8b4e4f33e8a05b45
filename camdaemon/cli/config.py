"""`camdaemon config`: show, check and change the configuration file."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from camdaemon.cli.run import ConfigFile

if TYPE_CHECKING:
    from camdaemon.config.schema import Config

app = typer.Typer(help="The configuration: shown as it is in force, as TOML that can be read again.")
_Key = Annotated[str, typer.Argument(help="Setting, as in: camdaemon config list", show_default=False)]


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    config: ConfigFile = None,
    check: Annotated[bool, typer.Option("--check", help="Only check the file, and what it names.")] = False,
) -> None:
    """Show the effective configuration, as TOML that can be read again."""
    if context.invoked_subcommand is not None:
        context.obj = config
        return
    from camdaemon.config.schema import load

    where, loaded = _path(config), load(config, {})
    if check:
        from camdaemon.daemon.check import check_all, list_absent

        check_all(loaded)
        for absent in list_absent(loaded):
            print(f"not there now: {absent}")
        print(f"{where}: " + ("correct" if where.is_file() else "no such file; the defaults apply"))
        return
    print(f"# {where}" + ("" if where.is_file() else " (no such file; these are the defaults)"))
    _print_toml(_plain(loaded))


@app.command()
def path(context: typer.Context, config: ConfigFile = None) -> None:
    """Show where the configuration file is, or would be."""
    print(_path(config or context.obj))


@app.command()
def init(context: typer.Context, config: ConfigFile = None) -> None:
    """Write a file with every setting in a comment. One that is there already stays."""
    from camdaemon.config.editing import write_first_file

    where = _path(config or context.obj)
    write_first_file(where)
    print(f"Written: {where}. Every setting in it is a comment with the default.")


@app.command("set", context_settings={"ignore_unknown_options": True})  # a value may be -0.5
def set_(
    context: typer.Context,
    key: _Key,
    value: Annotated[str, typer.Argument(help="Value; text needs no quotes.", show_default=False)],
    config: ConfigFile = None,
) -> None:
    """Change one setting in the file. Its comments and its order stay."""
    _change(_path(config or context.obj), key, value)


@app.command()
def unset(context: typer.Context, key: _Key, config: ConfigFile = None) -> None:
    """Take one setting out of the file, so that its default applies."""
    _change(_path(config or context.obj), key, None)


@app.command("list")
def list_() -> None:
    """List every setting with its type, range and default, as a page in Markdown."""
    from camdaemon.config.settings import write_page

    print(write_page(), end="")


def _path(config: Path | None) -> Path:
    from camdaemon.config.schema import default_path

    return config or default_path()


def _change(where: Path, key: str, text: str | None) -> None:
    from camdaemon.config.editing import set_value
    from camdaemon.control.memory import forget

    value = set_value(where, key, None if text is None else _locate(key, text), _check_files)
    forget(key)
    said = f"{key} = {json.dumps(value)}" if value is not None else f"{key} is not set any more"
    print(f"{said}, in {where}.")
    if _is_running():
        print(f"The running daemon applies it after: {_how_to_apply(key)}")


def _locate(key: str, text: str) -> str:
    """Return `text` with the path of a file made absolute: the daemon runs in another folder."""
    from camdaemon.frames import kinds

    name = key.rpartition(".")[2]
    tables = {"source": kinds.SOURCES, "sink": kinds.SINKS, "backdrop": kinds.BACKDROPS}
    if text.startswith("~"):  # it may stay as it is
        return text
    if name in tables:
        return kinds.make_absolute(tables[name], text)
    is_path = name in ("plate", "weights", "backdrops") and text not in (*kinds.PLATES, *kinds.WEIGHTS)
    return os.path.abspath(text) if is_path and os.path.exists(text) else text


def _check_files(key: str, changed: Config) -> None:
    """Raise ConfigError if what `key` names now is missing or cannot be used."""
    if key.partition(".")[0] in ("source", "sink", "more_sinks", "backdrop", "plate", "weights", "scenes", "hotkeys"):
        from camdaemon.daemon.check import check_all

        check_all(changed, only=key)


def _is_running() -> bool:
    from camdaemon.control.client import Client
    from camdaemon.errors import CamdaemonError

    try:
        return bool(Client().status())
    except CamdaemonError:
        return False


def _how_to_apply(key: str) -> str:
    from camdaemon.control.scenes import LIVE

    return "camdaemon reload" if key.partition(".")[0] in LIVE else "a restart (camdaemon stop, then camdaemon run)"


def _plain(loaded: Config) -> dict[str, Any]:
    values = loaded.model_dump(mode="json", exclude_none=True)
    values["hotkeys"] = values["hotkeys"] or False
    return values


def _print_toml(values: dict[str, Any], *parents: str) -> None:
    for name, value in values.items():
        if not isinstance(value, dict):
            print(f"{_quote(name)} = {json.dumps(value)}")
    for name, table in values.items():
        if isinstance(table, dict) and table:
            if not all(isinstance(value, dict) for value in table.values()):
                print(f"\n[{'.'.join([*parents, _quote(name)])}]")
            _print_toml(table, *parents, _quote(name))


def _quote(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)
