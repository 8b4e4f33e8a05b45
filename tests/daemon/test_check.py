"""`camdaemon config --check` finds what `camdaemon run` would refuse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from camdaemon.config import schema
from camdaemon.config.schema import Config
from camdaemon.daemon.check import check_all, list_absent
from camdaemon.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("clip.mp4", "beach.png", "room.png", "net.pth"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_everything_that_is_missing_is_named_at_once(home: Path) -> None:
    config = Config(
        source=str(home / "gone.mp4"),
        sink=str(home / "no" / "out.mp4"),
        more_sinks=["out.xyz", str(home / "dir.mp4")],
        backdrop="no.png",
        plate=str(home / "noplate.png"),
        weights=str(home),
        scenes={"late": {"backdrop": "nolate.png"}},
        hotkeys={"nap": "ctrl+alt+n"},
    )
    (home / "dir.mp4").mkdir()
    with pytest.raises(ConfigError) as wrong:
        check_all(config)
    lines = str(wrong.value).splitlines()
    assert lines[0] == "9 mistakes"
    for line, (key, word) in zip(
        lines[1:],
        [
            ("source", "gone.mp4"),
            ("sink", str(home / "no")),
            ("more_sinks", "out.xyz"),
            ("more_sinks", "a folder"),
            ("backdrop", "no.png"),
            ("plate", "noplate.png"),
            ("weights", str(home)),
            ("", "nap"),
            ("scene late", "nolate.png"),
        ],
        strict=True,
    ):
        assert line.strip().startswith(f"{key}:" if key else "'nap'"), line
        assert word in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_told(home: Path) -> None:
    (home / "ro").mkdir(mode=0o500)
    with pytest.raises(ConfigError, match="read-only"):
        check_all(Config(source="pattern", sink=str(home / "ro" / "out.mp4")))


def test_devices_may_be_plugged_in_later(home: Path) -> None:
    config = Config(source="/dev/video63", sink="/dev/video62", more_sinks=["null"])
    check_all(config)
    assert list_absent(config) == ["/dev/video63", "/dev/video62"]


def test_the_home_folder_is_meant_by_a_tilde_everywhere(home: Path) -> None:
    """In the file and on the command line; each of these was a file named "~" before."""
    path = home / "config.toml"
    path.write_text(
        'source = "~/clip.mp4"\nsink = "~/out.mp4"\nmore_sinks = ["~/b.mkv", "null"]\nbackdrop = "~/beach.png"\n'
        'plate = "~/room.png"\nweights = "~/net.pth"\nbackdrops = "~/pictures"\n'
        '[scenes.late]\nbackdrop = "~/beach.png"\n'
    )
    config = schema.load(path, {})
    check_all(config)
    assert config.sinks == [str(home / "out.mp4"), str(home / "b.mkv"), "null"]
    found = (config.source, config.backdrop, config.plate, config.weights, config.backdrops)
    assert [Path(each).parent for each in found] == [home] * 5
    assert config.scenes["late"].backdrop == str(home / "beach.png")
    typed = schema.load(
        None, {"source": "~/clip.mp4", "sink": "~/a.mp4", "more_sinks": ["~/b.mp4"], "plate": "~/room.png"}
    )
    assert (typed.source, *typed.sinks) == tuple(str(home / name) for name in ("clip.mp4", "a.mp4", "b.mp4"))


def test_an_unknown_users_home_is_an_error_and_no_traceback(home: Path) -> None:
    with pytest.raises(ConfigError, match="~nobody-of-that-name"):
        check_all(Config(source="~nobody-of-that-name/clip.mp4", sink="null"))
