"""What `--help` lists, and that it loads nothing that takes long."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from camdaemon.cli.app import app


def said(*words: str) -> str:
    found = CliRunner().invoke(app, [*words, "--help"])
    assert found.exit_code == 0
    return " ".join(found.output.split())


def test_commands_stand_under_their_headings():
    whole = said()
    places = [
        whole.index(each)
        for each in (
            "Commands: run Start the daemon",
            "devices List cameras",
            "While it runs: plate Photograph the empty room. Viewers see a card",
            "status Show scene, frame rates (fps)",
            "Pictures, videos and networks: image Matte a picture",
            "train Train the matting network",
            "First steps: camdaemon demo.",
        )
    ]
    assert places == sorted(places)


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
