"""Our own things: configuration, scenes, weights, the daemon, folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from camdaemon.config.schema import Config, default_path
from camdaemon.system.doctor import own
from camdaemon.system.doctor.findings import Context, Level


def says(found, *levels):
    return [finding.says for finding in found if not levels or finding.level in levels]


def test_a_wrong_configuration_is_a_problem_and_the_rest_goes_on():
    config, found = own.configuration()
    assert found.level is Level.OK
    default_path().parent.mkdir(parents=True)
    default_path().write_text('sink = "/dev/video12"\nfpss = 3\n')
    config, found = own.configuration()
    assert found.level is Level.PROBLEM
    assert "did you mean fps" in found.says
    assert "config --check" not in found.says, "it is the fix"
    assert config == Config()


def test_a_scene_without_its_backdrop(tmp_path):
    assert list(own.scenes(Config())) == []
    good = Config(scenes={"work": {"backdrop": "blur"}})
    assert says(own.scenes(good)) == ["all are ready: work"]
    (found,) = own.scenes(Config(scenes={"late": {"backdrop": str(tmp_path / "gone.jpg")}}))
    assert found.level is Level.PROBLEM
    assert "scene late" in found.says


def test_the_weights(tmp_path, monkeypatch):
    (found,) = own.weights(Config())
    assert found.level is Level.OK
    assert "is whole" in found.says
    (found,) = own.weights(Config(weights=str(tmp_path / "gone.pth")))
    assert found.level is Level.PROBLEM
    assert list(own.weights(Config(matting="difference"))) == []

    def damaged() -> Path:
        from camdaemon.errors import ConfigError

        raise ConfigError("w.safetensors is damaged (its checksum differs); install camdaemon again")

    monkeypatch.setattr("camdaemon.matting.bgmv2.matting.default_weights", damaged)
    (found,) = own.weights(Config())
    assert (found.level, found.says) == (Level.PROBLEM, "w.safetensors is damaged (its checksum differs)")


@pytest.mark.parametrize(
    ("status", "level", "expected"),
    [
        (None, Level.OK, "no camdaemon is running"),
        (
            {"pid": 5, "camera": "ok", "plate": "taken", "mode": "matte", "fps_in": 30, "fps_out": 29},
            Level.OK,
            "matte, 30",
        ),
        ({"pid": 5, "camera": "ok", "plate": "missing"}, Level.NOTE, "has no plate"),
        ({"pid": 5, "camera": "camera lost", "plate": "taken"}, Level.PROBLEM, "(pid 5) and has lost its camera"),
        ({"pid": 5, "camera": "standing by", "plate": "taken"}, Level.OK, "stands by until somebody watches"),
        ({"pid": 5, "camera": "starting", "plate": "taken"}, Level.NOTE, "has no picture: starting"),
    ],
)
def test_what_the_daemon_says(fake, status, level, expected):
    (found,) = own.daemon(Context(fake.machine, Config(), "/dev/video0", status))
    assert found.level is level
    assert expected in found.says


def test_the_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "run" / "c.sock"))
    assert {found.level for found in own.folders()} == {Level.OK}
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 5 * 2**20}))
    assert "5 MB are free where plates are kept" in says(own.folders(), Level.PROBLEM)[0]
    monkeypatch.setenv("CAMDAEMON_SOCKET", "/" + "x" * 120)
    found = next(iter(own.folders()))
    assert found.level is Level.PROBLEM
    assert "export CAMDAEMON_SOCKET=" in found.fix
