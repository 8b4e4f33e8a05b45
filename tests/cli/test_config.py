"""`camdaemon config`: what is typed, what is written, and that a wrong value is never written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from camdaemon.cli.app import app
from camdaemon.config.choices import Choices
from camdaemon.config.schema import Config, default_path, load
from camdaemon.config.settings import write_page
from camdaemon.control.memory import decode, encode, state_file
from camdaemon.errors import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "nobody.sock"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str) -> Any:
    return CliRunner().invoke(app, ["config", *words])


def test_a_setting_is_written_where_the_file_is() -> None:
    assert typed("path").output.strip() == str(default_path())
    done = typed("set", "plate_taking.timeout_s", "20")
    assert done.exit_code == 0
    assert str(default_path()) in done.output
    assert load(None, {}).plate_taking.timeout_s == 20
    assert typed("set", "edge", "-0.5").exit_code == 0, "a minus is no option"
    assert load(None, {}).edge == -0.5
    assert typed("unset", "edge").exit_code == 0
    assert load(None, {}).edge == 0.0


def test_another_file_may_be_named_before_or_after(home: Path) -> None:
    typed("--config", "a.toml", "set", "fps", "25")
    typed("set", "fps", "24", "--config", "b.toml")
    assert (load(home / "a.toml", {}).fps, load(home / "b.toml", {}).fps) == (25, 24)
    assert not default_path().exists()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("backdrop", "gone.png", "gone.png"),
        ("scenes.late.backdrop", "gone.png", "scene late"),
        ("source", "gone.mp4", "gone.mp4"),
        ("sink", "no/folder/out.mp4", "no folder"),
        ("plate", "gone.png", "gone.png"),
        ("hotkeys.nap", "ctrl+alt+n", "nap"),
        ("fps", "0", "1 to 240"),
    ],
)
def test_what_cannot_work_is_not_written(key: str, value: str, says: str) -> None:
    done = typed("set", key, value)
    assert isinstance(done.exception, ConfigError)
    assert says in str(done.exception)
    assert not default_path().exists()


def test_a_mistake_elsewhere_does_not_bar_the_way() -> None:
    default_path().parent.mkdir(parents=True)
    default_path().write_text('source = "gone.mp4"\n')
    assert typed("set", "backdrop", "blur:30").exit_code == 0


def test_a_file_is_written_with_its_whole_path(home: Path) -> None:
    for name in ("beach.png", "clip.mp4", "room.png"):
        (home / name).write_bytes(b"")
    for key, name in (("backdrop", "beach.png"), ("source", "clip.mp4"), ("sink", "out.mp4"), ("plate", "room.png")):
        assert typed("set", key, name).exit_code == 0
        assert getattr(load(None, {}), key) == str(home / name)
    assert typed("set", "plate", "auto").exit_code == 0
    assert load(None, {}).plate == "auto"


def test_what_was_chosen_for_the_key_is_dropped() -> None:
    state_file().parent.mkdir(parents=True)
    state_file().write_text(encode(Choices().choose(Config(), {"edge": 0.5, "mirror": True})))
    typed("set", "edge", "0.1")
    assert set(decode(state_file().read_bytes()).values) == {"mirror"}


def test_init_writes_a_file_once() -> None:
    assert typed("init").exit_code == 0
    assert load(None, {}).fps == 30
    default_path().write_text("fps = 12.0\n")
    done = typed("init")
    assert isinstance(done.exception, ConfigError)
    assert load(None, {}).fps == 12


def test_the_list_is_the_page() -> None:
    assert typed("list").output == write_page()


def test_check_says_what_is_not_plugged_in(home: Path) -> None:
    default_path().parent.mkdir(parents=True)
    default_path().write_text('source = "/dev/video63"\nsink = "~/out.mp4"\n')
    done = typed("--check")
    assert (done.exit_code, "/dev/video63" in done.output, "correct" in done.output) == (0, True, True)
    default_path().write_text('source = "~/gone.mp4"\n')
    assert f"{home}/gone.mp4" in str(typed("--check").exception)


def test_the_home_folder_is_meant_in_an_option_with_an_equals_sign(home: Path) -> None:
    (home / "mine.toml").write_text("fps = 17.0\n")
    assert "fps = 17.0" in typed("--config=~/mine.toml").output
    assert "fps = 17.0" in typed("--config", "~/mine.toml").output
