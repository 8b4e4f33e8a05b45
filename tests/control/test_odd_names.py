"""Names that are not UTF-8, or that a terminal would obey: in status, answers and log."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from camdaemon.cli import live
from camdaemon.cli.logs import LineFormatter, TerminalFormatter
from camdaemon.config.schema import SceneConfig
from camdaemon.control.client import Client
from camdaemon.control.commands import Commands
from camdaemon.control.server import ApiServer
from camdaemon.errors import ConfigError, ControlError, printable
from tests.fakes import Rig

LATIN = os.fsdecode(b"caf\xe9.png")
OBEYED = "\x1b[2J\x1b]0;title\x07\n\r\x9b31m\u202e.png"
LONG = "x" * 251 + ".png"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (LATIN, "caf\\xe9.png"),
        (OBEYED, "\\x1b[2J\\x1b]0;title\\x07\\n\\r\\x9b31m\\u202e.png"),
        ("\ud800", "\\ud800"),
        ("café 夏休み\u3000👩\u200d👧.png", "café 夏休み\u3000👩\u200d👧.png"),
        ("tab\tline\n", "tab\\tline\\n"),
    ],
)
def test_what_a_terminal_obeys_or_cannot_show_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_every_error_is_fit_for_a_terminal() -> None:
    assert str(ConfigError(f"cannot read {LATIN}\nand {OBEYED[:4]}")) == "cannot read caf\\xe9.png\nand \\x1b[2J"
    assert str(ConfigError()) == ""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Commands, Path]]:
    """Real commands behind a real socket, whose source and sink have odd names; the folder of the backdrops."""
    rig = Rig()
    folder = tmp_path / "backdrops"
    folder.mkdir()
    for name in (LATIN, OBEYED, LONG, "plain.png"):
        done, data = cv2.imencode(".png", np.full((8, 8, 3), 90, np.uint8))
        assert done
        (folder / name).write_bytes(data.tobytes())
    rig.config = rig.config.model_copy(
        update={
            "backdrops": str(folder),
            "source": str(folder / LATIN),
            "scenes": {OBEYED: SceneConfig(), "late": SceneConfig()},
        }
    )
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    path = tmp_path / "run" / "c.sock"
    server = ApiServer(commands, path)
    server.start()
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(path))
    yield commands, folder
    server.stop()
    rig.state.scene.backdrop.close()


def ask(path: str) -> httpx.Response:
    wire = httpx.HTTPTransport(uds=os.environ["CAMDAEMON_SOCKET"])
    with httpx.Client(transport=wire, base_url="http://camdaemon", timeout=20) as http:
        return http.get(path)


def type_in(*words: str) -> None:
    """Run a command as the command line does."""
    typed = live.parse(words)
    assert typed
    live.run(*typed)


def test_status_shows_names_that_are_no_text(daemon: Any, capsys: pytest.CaptureFixture[str]) -> None:
    commands, folder = daemon
    commands.backdrop(str(folder / LATIN))
    answer = ask("/status")
    assert answer.status_code == 200
    assert answer.json()["backdrop"] == str(folder / "caf\\xe9.png")
    assert answer.json()["source"] == str(folder / "caf\\xe9.png")
    assert Client().status()["backdrop"] == str(folder / "caf\\xe9.png")
    assert next(Client().events())["backdrop"] == str(folder / "caf\\xe9.png")
    type_in("status", "--json")
    assert json.loads(capsys.readouterr().out)["backdrop"] == str(folder / "caf\\xe9.png")
    type_in("status")
    assert str(folder / "caf\\xe9.png") in capsys.readouterr().out


def test_a_terminal_gets_nothing_that_it_would_obey(daemon: Any, capsys: pytest.CaptureFixture[str]) -> None:
    _, folder = daemon
    type_in("backdrop", str(folder / OBEYED))
    type_in("scene", OBEYED)
    for words in (("status",), ("status", "--json"), ("backdrops",), ("scene",), ("next",)):
        type_in(*words)
    said = capsys.readouterr().out
    assert said.replace("\n", "").isprintable()
    assert printable(OBEYED) in said


def test_the_exact_name_is_kept_where_a_program_asks(daemon: Any) -> None:
    """The panel sends it back."""
    _, folder = daemon
    names = {file["name"]: file["spec"] for file in ask("/backdrops").json()}
    assert names.items() >= {name: str(folder / name) for name in (OBEYED, LONG, "plain.png")}.items()
    assert Client().backdrop(names[OBEYED])
    assert Client().status()["backdrop"] == names[OBEYED]


@pytest.mark.parametrize("words", [("backdrop", LATIN), ("scene", LATIN), ("backdrop", "\udcff" * 300)])
def test_a_name_that_cannot_be_sent_is_one_sentence(
    daemon: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    commands, folder = daemon
    monkeypatch.chdir(folder)
    before = commands.status()["backdrop"]
    with pytest.raises(ConfigError, match=r"\\x.*not valid UTF-8.*run: camdaemon run --backdrop"):
        type_in(*words)
    assert commands.status()["backdrop"] == before


@pytest.mark.parametrize("name", ["y" * 300 + ".png", "y" * 5000, "a/" * 3000 + "b.png", "~" + "y" * 400, OBEYED + "x"])
def test_a_name_that_no_file_can_have_is_one_sentence(daemon: Any, name: str) -> None:
    for words in (("backdrop", name), ("scene", name)):
        with pytest.raises((ConfigError, ControlError)) as caught:
            type_in(*words)
        assert str(caught.value).replace("\n", "").isprintable()


def test_the_log_is_escaped_too() -> None:
    record = logging.makeLogRecord({"msg": "cannot show %s\nnext", "args": (OBEYED + LATIN,)})
    for formatter in (LineFormatter(lambda _: "<6>"), TerminalFormatter("%(message)s")):
        text = formatter.format(record)
        assert text.replace("\n", "").isprintable()
        assert "\\x1b[2J" in text
        assert "caf\\xe9.png" in text
