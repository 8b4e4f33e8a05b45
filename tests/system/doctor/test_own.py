"""Our own things: configuration, scenes, weights, the daemon, folders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from camdaemon.config.schema import Config, default_path
from camdaemon.system.doctor import own
from camdaemon.system.doctor.findings import Context, Level


def test_a_wrong_configuration_is_a_problem_and_the_rest_goes_on():
    config, found = own.load_configuration()
    assert found.level is Level.OK
    default_path().parent.mkdir(parents=True)
    default_path().write_text('sink = "/dev/video12"\nfpss = 3\n')
    config, found = own.load_configuration()
    assert found.level is Level.PROBLEM
    assert "did you mean fps" in found.says
    assert "config --check" not in found.says, "it is the fix"
    assert config == Config()


def test_a_scene_without_its_backdrop(tmp_path):
    assert list(own.check_scenes(Config())) == []
    good = Config(scenes={"work": {"backdrop": "blur"}})
    (ready,) = own.check_scenes(good)
    assert ready.level is Level.OK
    assert re.search("ready.*work", ready.says)
    (found,) = own.check_scenes(Config(scenes={"late": {"backdrop": str(tmp_path / "gone.jpg")}}))
    assert found.level is Level.PROBLEM
    assert "scene late" in found.says


def test_the_weights(tmp_path, monkeypatch):
    (found,) = own.check_weights(Config())
    assert found.level is Level.OK
    assert "intact" in found.says
    (found,) = own.check_weights(Config(weights=str(tmp_path / "gone.pth")))
    assert found.level is Level.PROBLEM
    assert list(own.check_weights(Config(matting="difference"))) == []

    reason = "w.safetensors is damaged (its checksum differs)"

    def damaged(*_: object) -> Path:
        from camdaemon.errors import ConfigError

        raise ConfigError(f"{reason}; install camdaemon again")

    monkeypatch.setattr("camdaemon.matting.bgmv2.weights.find_weights", damaged)
    (found,) = own.check_weights(Config())
    assert (found.level, found.says) == (Level.PROBLEM, reason)


@pytest.mark.parametrize(
    ("status", "level", "expected"),
    [
        (None, Level.OK, "not running"),
        (
            {"pid": 5, "camera": "ok", "plate": "taken", "mode": "matte", "fps_in": 30, "fps_out": 29},
            Level.OK,
            r"\b5\b.*matte.*30 fps in.*29 fps out",
        ),
        ({"pid": 5, "camera": "ok", "plate": "missing"}, Level.NOTE, r"\b5\b.*no plate"),
        ({"pid": 5, "camera": "camera lost", "plate": "taken"}, Level.PROBLEM, r"\b5\b.*lost.*camera"),
        ({"pid": 5, "camera": "standing by", "plate": "taken"}, Level.OK, r"\b5\b.*idle"),
        ({"pid": 5, "camera": "starting", "plate": "taken"}, Level.NOTE, r"\b5\b.*no picture.*starting"),
    ],
)
def test_what_the_daemon_says(fake, status, level, expected):
    found = own.check_daemon(Context(fake.machine, Config(), "/dev/video0", status))
    assert found.level is level
    assert re.search(expected, found.says)


def test_the_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "run" / "c.sock"))
    assert (own.check_socket().level, own.check_space().level) == (Level.OK, Level.OK)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 5 * 2**20}))
    found = own.check_space()
    assert found.level is Level.PROBLEM
    assert "5 MB" in found.says
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda path, mode: False)  # a home that may only be read
        found = own.check_space()
    assert found.level is Level.PROBLEM
    assert re.search("plates.*cannot be written", found.says)
    monkeypatch.setenv("CAMDAEMON_SOCKET", "/" + "x" * 120)
    found = own.check_socket()
    assert found.level is Level.PROBLEM
    assert "export CAMDAEMON_SOCKET=" in found.fix
