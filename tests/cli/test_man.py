"""`camdaemon man`: one page of every command, which man can set."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from typer.testing import CliRunner

from camdaemon.cli.app import app
from camdaemon.control import table


def page() -> str:
    done = CliRunner().invoke(app, ["man"], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_every_command_and_option_is_on_the_page() -> None:
    text = page().replace(r"\-", "-")
    assert text.startswith(".TH CAMDAEMON 1 ")
    for command in table.TABLE:
        if command.typed and command.socket:
            assert re.search(rf'^\.SS "camdaemon {command.word} ', text, re.M), command.word
            assert " ".join(command.help.split())[:40] in text
    for option in ("--size WIDTHxHEIGHT", "--countdown SECONDS", "-h, --help", "-V"):
        assert option in text
    assert '.SS "camdaemon train base ' in text


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_man_sets_it_without_a_warning() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-Kutf8", "-P-c"],
        input=page(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "--source SOURCE" in re.sub(r".\x08|\x1b\[[\d;]*m", "", done.stdout)
