"""A pipeline's parts, as the configuration and the camera make them."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from camdaemon.cli.app import app
from camdaemon.config.schema import Config
from camdaemon.daemon import build, opening
from camdaemon.errors import ConfigError, DeviceError
from camdaemon.frames import picture
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.output.reopening import ReopeningSink
from camdaemon.output.tee import TeeSink
from camdaemon.pipeline.metrics import Metrics
from tests.daemon.assembling import assemble
from tests.fakes import FakeSource, RecordingSink


@pytest.mark.parametrize(
    ("given", "live", "asked", "size"),
    [
        (Size(3840, 2160), True, None, "1280x720"),  # the default, not the other way round
        (Size(1920, 1088), True, None, "1280x720"),
        (Size(640, 480), True, None, "640x480"),
        (Size(3840, 2160), True, Size(1920, 1080), "1920x1080"),
        (Size(640, 480), True, Size(1280, 720), "1280x720"),
        (Size(1920, 1088), False, None, "1920x1088"),  # a clip has its own
    ],
)
def test_a_camera_is_published_at_the_default_size_at_most(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    given: Size,
    live: bool,
    asked: Size | None,
    size: str,
) -> None:
    def open_fake(*_: Any, **__: Any) -> FakeSource:
        return FakeSource(size=given, live=live)

    monkeypatch.setattr(opening, "open_source", open_fake)
    config = Config(source="pattern", sink="null", size=asked, matting="difference")
    with caplog.at_level(logging.INFO):
        pipeline = assemble(config)
    with closing(pipeline.camera.first), closing(pipeline.stage.sink):
        assert str(pipeline.stage.sink.size) == size
    told = [line for line in caplog.messages if "scaled" in line]
    assert [f"{given}" in line and "--size" in line for line in told] == ([True] if str(given) != size else [])


@pytest.mark.parametrize("sinks", [{"sink": "/dev/video10"}, {"sink": "null", "more_sinks": ["/dev/video10"]}])
def test_camdaemon_does_not_film_its_own_picture(sinks: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"source /dev/video10 .*sink.*Run: camdaemon devices"):
        assemble(Config(source="/dev/video10", **sinks))


@pytest.mark.parametrize("named", [False, True])
def test_an_output_that_nobody_named_is_left_out_where_it_cannot_be_opened(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, named: bool
) -> None:
    def open_fake(spec: str, *_: Any, **__: Any) -> RecordingSink:
        if spec == "pipewire":
            raise DeviceError("PipeWire does not answer; type: true")
        return RecordingSink()

    monkeypatch.setattr(opening, "open_sink", open_fake)
    monkeypatch.setattr("camdaemon.linux.pipewire.library.find_socket", lambda: Path("/run/pipewire-0"))
    monkeypatch.setattr("camdaemon.config.schema._LOOPBACK", "/dev/null")
    config = Config(sink="pipewire", more_sinks=["/dev/null"]) if named else Config()
    size, metrics = RecordingSink().size, Metrics()
    if named:
        with pytest.raises(DeviceError, match="PipeWire"):
            opening._open_sinks(config, opening.Playing(), size, 30, metrics)
        return
    sink = opening._open_sinks(config, opening.Playing(), size, 30, metrics)
    assert sink.name == "recording"
    assert "PipeWire does not answer" in caplog.text


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sink": "nowhere"}, "sink.*nowhere"),
        ({"sink": "/dev/video-none"}, "/dev/video-none"),
        ({"sink": "null", "more_sinks": ["elsewhere"]}, "sink.*elsewhere"),
        ({"source": "nothing.mp4"}, "source.*nothing"),
        ({"source": "/dev/video-none"}, "/dev/video-none"),
        ({"backdrop": "gone.jpg"}, "backdrop.*gone"),
        ({"backdrop": "color:#zz"}, "color"),
    ],
)
def test_what_is_wrong_is_found_before_the_network_loads(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], message: str
) -> None:
    def load(*_: Any) -> None:
        pytest.fail("the network was loaded")

    monkeypatch.setattr(build, "make_matting", load)
    with pytest.raises((ConfigError, DeviceError), match=message):
        assemble(Config(**({"source": "pattern", "sink": "null"} | wrong)))


def test_a_picture_s_backdrop_is_checked_before_the_network_loads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(*_: Any) -> None:
        pytest.fail("the network was loaded")

    monkeypatch.setattr("camdaemon.tools.files.offline.OfflinePipeline.__init__", load)
    for name in ("me.png", "room.png"):
        picture.write(tmp_path / name, np.zeros((64, 64, 3), np.uint8))
    for words in (["image"], ["video"]):
        options = ["--src", "me.png", "--plate", "room.png", "--composite", "out.png", "--backdrop", "gone.jpg"]
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigError, match="gone"):
            CliRunner().invoke(app, [*words, *options], catch_exceptions=False)


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a file"])
def test_a_lost_virtual_camera_is_known_to_who_says_what_viewers_see(beside: bool) -> None:
    lost = RecordingSink(fail_at=0)
    camera = ReopeningSink(lost, lambda: RecordingSink(fail_at=0), lambda _: None)
    sink = TeeSink([camera, RecordingSink()]) if beside else camera
    is_lost = opening.watch_loss(sink)
    assert not is_lost()
    sink.write(HostFrame.empty(lost.fmt, lost.size))
    assert is_lost()
    assert not opening.watch_loss(RecordingSink())()
