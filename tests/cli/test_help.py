"""What `--help` lists, and that it loads nothing that takes long."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import typer
from typer.testing import CliRunner

from camdaemon import __version__
from camdaemon.cli.app import app
from camdaemon.control import table


def said(*words: str) -> str:
    found = CliRunner().invoke(app, [*words, "--help"])
    assert found.exit_code == 0
    return " ".join(found.output.split())


def test_commands_stand_under_their_headings():
    whole = said()
    lines = (
        r"\bCommands: run [A-Z]",
        r" devices [A-Z]",
        rf" While it runs: plate {re.escape(table.find('plate').help)}",
        rf" status {re.escape(table.find('status').help)}",
        r" Pictures, videos .*: image [A-Z]",
        r" train [A-Z]",
        r" First steps: camdaemon demo\.",
    )
    assert re.search(".*".join(lines), whole)


@pytest.mark.parametrize("group", ["camera", "service", "weights", "train"])
def test_groups_list_theirs_as_they_are_written(group):
    listed = said(group).partition("Commands: ")[2]
    assert listed
    assert "..." not in listed, "cut short"


def test_every_command_has_a_line():
    whole = said()
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.rstrip("_")
        assert f" {name} " in whole, name


def test_help_loads_neither_rich_nor_the_daemon():
    """Each of these takes longer than all the rest of it."""
    code = "import sys; from camdaemon.__main__ import main\ntry: main()\nexcept SystemExit: pass\nprint(*sys.modules)"
    words = [sys.executable, "-c", code, "--help"]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split()
    assert "typer" in loaded
    assert not {"rich", "torch", "numpy", "pydantic", "cv2", "camdaemon.daemon.run"} & set(loaded)


def every_command(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name in getattr(command, "commands", {}):
        yield from every_command(command.get_command(None, name), *path, *name.split())


def test_no_help_names_a_type_of_python():
    for path, command in every_command(typer.main.get_command(app)):
        with typer.Context(command, info_name="camdaemon", help_option_names=["-h", "--help"]) as context:
            text = command.get_help(context)
        assert not re.search(r"<(str|int|float|path|list\[.*)>|\b(TEXT|FLOAT|INTEGER|PATH|DIRECTORY)\b", text), path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run"], "--size WIDTHxHEIGHT"),
        (["run"], "--config FILE"),
        (["plate"], "--countdown SECONDS"),
        (["demo"], "--output FOLDER"),
        (["adjust"], "--edge NUMBER"),
        (["card"], "[on|off|toggle]"),
        (["train", "base"], "--data FOLDER"),
        (["weights", "import"], "--output FILE"),
    ],
)
def test_values_are_named_for_people(words, expected):
    assert expected in said(*words)


@pytest.mark.parametrize("words", [[], ["run"], ["card"], ["camera"], ["camera", "show"], ["train", "base"]])
def test_a_short_h_is_help_everywhere(words):
    short = CliRunner().invoke(app, [*words, "-h"])
    assert short.exit_code == 0
    assert short.output == CliRunner().invoke(app, [*words, "--help"]).output


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version(option):
    assert CliRunner().invoke(app, [option]).output == f"camdaemon {__version__}\n"


def numbers(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every option that takes a number, with the words of its command."""
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from numbers(each, (*words, name))
        return
    for parameter in command.params:
        kinds = get_args(parameter.type_descriptor.annotation) or (parameter.type_descriptor.annotation,)
        if parameter.param_type_name == "option" and {int, float} & set(kinds):
            yield (*words, parameter.opts[0]), kinds


def test_a_wrong_number_is_refused_in_our_words():
    found = list(numbers(typer.main.get_command(app)))
    assert len(found) > 20
    for words, kinds in found:
        answer = CliRunner().invoke(app, [*words[:-1], f"{words[-1]}=x"])
        expected = "a number" if float in kinds else "a whole number"
        assert answer.exit_code == 2, words
        assert answer.output.rstrip().endswith(f"'{words[-1]}': expected {expected}, not 'x'"), words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("adjust --edge=1.2", "'--edge': expected a number up to 1, not '1.2'"),
        ("adjust --edge=-3", "'--edge': expected a number from -1 on, not '-3'"),
        ("plate --countdown=500", "'--countdown': expected a number up to 120, not '500'"),
        ("run --frames=0", "'--frames': expected a number from 1 on, not '0'"),
        ("run --frames=1.5", "'--frames': expected a whole number, not '1.5'"),
    ],
)
def test_a_number_out_of_range_is_refused_with_the_range(words: str, expected: str):
    answer = CliRunner().invoke(app, words.split())
    assert answer.exit_code == 2
    assert answer.output.rstrip().endswith(expected)
