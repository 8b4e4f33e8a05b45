"""Where the picture goes if nobody says so: to every output that is there."""

import socket

import pytest

from camdaemon.config import schema
from camdaemon.config.schema import Config


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Make outputs appear: "loopback" or "pipewire"."""
    loopback = tmp_path / "video10"
    monkeypatch.setattr(schema, "_LOOPBACK", str(loopback))
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:

        def appear(*names: str) -> str:
            if "loopback" in names:
                loopback.touch()
            if "pipewire" in names:
                server.bind("pipewire-0")
            return str(loopback)

        yield appear


@pytest.mark.parametrize("names", [(), ("loopback",), ("pipewire",), ("loopback", "pipewire")])
def test_every_output_that_is_there_is_used_and_the_virtual_camera_is_missed_where_none_is(outputs, names):
    path = outputs(*names)
    expected = [path] if names != ("pipewire",) else []
    assert Config().sinks == expected + (["pipewire"] if "pipewire" in names else [])


def test_whoever_names_sinks_gets_exactly_those(outputs):
    path = outputs("loopback", "pipewire")
    assert Config(sink="null").sinks == ["null"]
    assert Config(sink="pipewire", more_sinks=["out.mp4"]).sinks == ["pipewire", "out.mp4"]
    assert Config(more_sinks=["pipewire", "out.mp4"]).sinks == [path, "pipewire", "out.mp4"], "none of them twice"
