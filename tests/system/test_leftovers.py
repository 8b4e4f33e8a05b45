"""What stays after removing: named with place and size, erased only if asked, and never what is the user's own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from camdaemon.cli import asking, system
from camdaemon.cli.app import app
from camdaemon.config.schema import default_backdrops, default_path
from camdaemon.control.client import Client
from camdaemon.errors import CamdaemonError, ConfigError, ControlError
from camdaemon.linux.folders import expand_home, find_folder
from camdaemon.system import leftovers, machine, service
from tests.system.fake_machine import FakeMachine

COMMAND = "camdaemon setup --remove"


def backdrops() -> Path:
    return expand_home(default_backdrops())


def put(path: Path, size: int = 500_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


@pytest.fixture
def ours() -> list[Path]:
    """What a used camdaemon leaves."""
    state = find_folder("state")
    return [
        put(state / "plates" / "cam-00000000-1280x720.png"),
        put(state / "plates" / "cam-00000000-1280x720.controls.json"),
        put(state / "plates" / ".cam.12.png"),
        put(state / "locked" / "00000000.json"),
        put(state / "chosen.json"),
        put(default_path(), 0),
        put(find_folder("cache") / "engine.json"),
    ]


@pytest.fixture
def theirs(ours: list[Path], tmp_path: Path) -> list[Path]:
    """What the user put among it."""
    return [
        put(backdrops() / "beach.jpg"),
        put(find_folder("state") / "meeting.mp4"),
        put(find_folder("state") / "plates" / "meeting.mkv.part"),
        put(default_path().with_name("notes.txt")),
        put(tmp_path / "recording.mp4"),
    ]


def offer(*, erase: bool = False, dry_run: bool = False, answer: bool | None = None) -> None:
    agree: Callable[[str], bool] = lambda _: pytest.fail("nobody is to be asked")  # noqa: E731
    if answer is not None:
        agree = lambda _: answer  # noqa: E731
    leftovers.offer_to_erase(COMMAND, erase=erase, dry_run=dry_run, is_terminal=answer is not None, agree=agree)


def test_everything_that_stays_is_named(ours, theirs, capsys):
    offer()
    shown = capsys.readouterr().out
    for fact in (
        rf"photographs of your room: 3 files, 1\.5 MB in {re.escape(str(ours[0].parent))}$",
        rf": 2 files, 1\.0 MB in {re.escape(str(find_folder('state')))}$",
        rf"configuration: 1 file, .* in {re.escape(str(default_path()))}$",
        rf"cache: 1 file, .* in {re.escape(str(find_folder('cache')))}$",
        rf"backdrops in {re.escape(str(backdrops()))}\b",
        r"[Rr]ecordings",
        r"pipx uninstall camdaemon$",
        rf"{COMMAND} --erase$",
    ):
        assert re.search(fact, shown, re.MULTILINE), fact
    assert all(path.exists() for path in ours + theirs)


def test_what_other_commands_remove_is_named_with_them(capsys, monkeypatch, tmp_path):
    put(service.unit_path())
    monkeypatch.setattr(leftovers, "OURS", (str(put(tmp_path / "modprobe.conf")),))
    offer()
    shown = capsys.readouterr().out
    assert re.search("camdaemon service remove$", shown, re.MULTILINE)
    assert re.search("camdaemon setup --remove$", shown, re.MULTILINE)


@pytest.mark.parametrize("how", [{"erase": True}, {"answer": True}])
def test_it_is_erased_if_the_user_says_so_and_only_it(ours, theirs, how, capsys):
    offer(**how)
    assert not [path for path in ours if path.exists()]
    assert all(path.exists() for path in theirs)
    assert not (find_folder("state") / "locked").exists()
    assert not find_folder("cache").exists()
    assert "Erased" in capsys.readouterr().out
    offer(erase=True)
    assert "Erased" not in capsys.readouterr().out, "nothing is left"


@pytest.mark.parametrize("how", [{"answer": False}, {"dry_run": True}, {"dry_run": True, "erase": True}, {}])
def test_it_is_not_erased_otherwise(ours, how):
    offer(**how)
    assert all(path.exists() for path in ours)


def test_folders_that_coincide_do_not_make_backdrops_state(ours, monkeypatch, tmp_path):
    for name in ("STATE", "DATA", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "one"))
    plate, mine = put(find_folder("state") / "plates" / "a.png"), put(backdrops() / "beach.jpg")
    offer(erase=True)
    assert not plate.exists()
    assert mine.exists()


def test_a_running_daemon_has_to_be_stopped_first(ours, monkeypatch):
    monkeypatch.setattr(Client, "status", lambda self: {}, raising=False)
    with pytest.raises(ControlError, match=f"Run: camdaemon stop && {COMMAND} --erase$"):
        offer(erase=True)
    assert all(path.exists() for path in ours)


def test_what_cannot_be_erased_says_what_to_type(ours, monkeypatch):
    def refuse(self, missing_ok):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(CamdaemonError, match=r"Permission denied\. Run: rm -r .*plates$"):
        offer(erase=True)


def type_(*words: str) -> str:
    return CliRunner().invoke(app, [*words], catch_exceptions=False).output


def test_both_commands_offer_it(ours, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # no systemctl, no sudo
    monkeypatch.setattr(machine, "this_machine", lambda: FakeMachine(tmp_path / "fake").machine)
    for words in (["service", "remove"], ["setup", "--remove"]):
        shown = type_(*words)
        assert "photographs of your room" in shown
        assert f"camdaemon {' '.join(words)} --erase" in shown
        assert "Nothing was erased" not in type_(*words, "--dry-run")
    assert all(path.exists() for path in ours)
    with pytest.raises(ConfigError, match="camdaemon setup --remove --erase"):
        type_("setup", "--erase")
    assert "Erased" in type_("service", "remove", "--erase")
    assert not [path for path in ours if path.exists()]


def test_on_a_terminal_it_asks(ours, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(system, "is_terminal", lambda: True)
    monkeypatch.setattr(asking, "is_terminal", lambda: True)
    for answer in ("\n", "n\n", ""):
        CliRunner().invoke(app, ["service", "remove"], input=answer)
    assert all(path.exists() for path in ours)
    CliRunner().invoke(app, ["service", "remove"], input="y\n")
    assert not [path for path in ours if path.exists()]
    assert not find_folder("state").exists()
    assert os.path.isdir(find_folder("state").parent)
