"""`camdaemon camera` as people and scripts type it."""

from __future__ import annotations

import atexit
import errno
import json
import re
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest
from typer.testing import CliRunner

from camdaemon.cli.camera import _become_daemon_for, app
from camdaemon.errors import ConfigError, ControlError, DeviceError
from camdaemon.linux import hidden
from tests.fake_camera import S_CTRL, Knob, Knobs, webcam


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Knobs:
    """A webcam; `--device /dev/video7` finds it."""
    driver = Knobs(tmp_path / "video7", monkeypatch, *webcam())
    monkeypatch.setattr("camdaemon.cli.camera._path", lambda device: driver.path)
    return driver


def typed(*words: str) -> str:
    """What it prints; its error is raised."""
    result = CliRunner().invoke(app, [*words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def row(output: str, name: str) -> str:
    return " ".join(next(line for line in output.splitlines() if line.startswith(name + " ")).split())


def test_show_says_value_range_meaning_and_what_lock_would_do(camera: Knobs) -> None:
    output = typed("show")
    for pattern in (
        r"brightness 128 0 \w+ 255",
        r"auto_exposure 3 Aperture Priority Mode → 1 1 \(Manual Mode\), 3 \(Aperture Priority Mode\)",
        r"exposure_time_absolute 333 [\w ]*\bauto_exposure hold 3 \w+ 2047",
        r"focus_automatic_continuous 1 on → 0 0 \w+ 1",
        r"power_line_frequency 1 50 Hz, [\w ]*\bflicker\b[\w ]* 0 \(Off\), 1 \(50 Hz\), 2 \(60 Hz\)",
    ):
        assert re.fullmatch(pattern, row(output, pattern.partition(" ")[0]))
    assert camera.written == []
    typed("lock")
    after = typed("show")
    assert "→" not in after
    assert "hold" not in after
    exposure = row(after, "exposure_time_absolute")
    assert re.fullmatch(r"exposure_time_absolute 333 \w+ 0\.1 ms 3 \w+ 2047", exposure)


def test_show_as_json(camera: Knobs) -> None:
    found = {each["name"]: each for each in json.loads(typed("show", "--json"))}
    assert found["exposure_time_absolute"]["value"] == 333
    assert found["exposure_time_absolute"]["flags"] == ["inactive"]
    assert found["auto_exposure"]["kind"] == "menu"
    assert found["auto_exposure"]["menu"] == {"1": "Manual Mode", "3": "Aperture Priority Mode"}


def test_lock_and_unlock_say_what_they_change(camera: Knobs) -> None:
    assert "auto_exposure: 3 → 1\n" in typed("lock")
    assert camera["Exposure Time, Absolute"] == 333
    assert re.search("/video7 .*nothing automatic", typed("lock"))
    assert "auto_exposure: 1 → automatic\n" in typed("unlock")
    assert camera["Auto Exposure"] == 3
    assert "is not locked" in typed("unlock")


def test_what_the_camera_refuses_ends_the_command_with_an_error(camera: Knobs) -> None:
    camera.refuses[S_CTRL, 0x009A090C] = errno.EIO
    with pytest.raises(DeviceError, match=r"video7: focus_automatic_continuous .*refused"):
        typed("lock")
    assert camera["Auto Exposure"] == 1


def test_set_is_all_or_nothing(camera: Knobs) -> None:
    with pytest.raises(ConfigError, match="did you mean gain"):
        typed("set", "brightness=90", "gian=4")
    assert camera.written == []
    output = typed("set", "white_balance_temperature=4714", "white_balance_automatic=0", "brightness=90")
    assert "brightness = 90\n" in output
    assert re.search(r"^white_balance_temperature = 4710 \(.*\b4714\)$", output, re.M)


@pytest.mark.parametrize("word", ["brightness", "brightness=", "brightness=high", "=3x"])
def test_set_wants_name_and_number(camera: Knobs, word: str) -> None:
    with pytest.raises(ConfigError, match=rf"^'{word}'.*NAME=NUMBER.*Run: camdaemon camera set brightness=1$"):
        typed("set", word)


def test_a_camera_without_controls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Knobs(tmp_path / "video7", monkeypatch)
    monkeypatch.setattr("camdaemon.cli.camera._path", lambda device: driver.path)
    assert "has no settings" in typed("show")
    assert json.loads(typed("show", "--json")) == []
    assert "has nothing to lock" in typed("lock")
    assert "is not locked" in typed("unlock")
    with pytest.raises(ConfigError, match="no control 'gain'"):
        typed("set", "gain=1")


def test_a_title_is_not_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Knobs(tmp_path / "video7", monkeypatch, Knob(5, "Mode", 0, kind=3, menu={0: "[red]", 1: "[/]"}))
    monkeypatch.setattr("camdaemon.cli.camera._path", lambda device: driver.path)
    assert "[red]" in typed("show")


def test_the_configured_camera_is_meant_unless_another_is_named() -> None:
    with pytest.raises(DeviceError, match=r"^/dev/video-none .*not exist.*Run: camdaemon devices"):
        typed("show", "--device", "/dev/video-none")
    file = platformdirs.user_config_path("camdaemon") / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('source = "/dev/video-mine"')
    with pytest.raises(DeviceError, match=r"^/dev/video-mine .*not exist.*Run: camdaemon devices"):
        typed("lock")
    file.write_text('source = "room.mp4"')
    with pytest.raises(ConfigError, match=r"^room\.mp4 .*no camera.*Run: .*--device /dev/video0$"):
        typed("show")


def test_a_command_for_a_hidden_camera_is_the_daemon_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "run" / "control.sock"))
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(hidden, "should_fetch", lambda path: path == "/dev/video0")
    _become_daemon_for("/dev/video1")
    assert hidden._proof == []
    _become_daemon_for("/dev/video0")
    assert len(hidden._proof) == 1
    with pytest.raises(ControlError, match="another camdaemon"):
        _become_daemon_for("/dev/video0")
    at_exit[0]()
    assert hidden._proof == []
