"""Who watches a virtual camera: what is reported, and which sinks can tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from camdaemon.errors import DeviceError
from camdaemon.frames.frame import PixelFormat, Size
from camdaemon.output import audience, placeholder
from camdaemon.output.loopback import LoopbackSink
from camdaemon.output.reopening import ReopeningSink
from camdaemon.output.tee import TeeSink
from tests.fake_loopback import FakeLoopback
from tests.fakes import RecordingSink

SIZE = Size(128, 96)


class Script:
    """A node whose watches answer in turn: whether there are viewers, or an error; at its end `stop` is set."""

    def __init__(self, answers: list[bool | OSError], stop: threading.Event) -> None:
        self._answers: Iterator[bool | OSError] = iter(answers)
        self._stop = stop
        self.opened = self.closed = 0

    def open(self, path: str) -> Script:
        self.opened += 1
        return self

    def wait(self, timeout: float) -> bool:
        answer = next(self._answers, None)
        if answer is None:
            self._stop.set()
            return False
        if isinstance(answer, OSError):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("answers", "reported", "opened"),
    [
        ([False, False], [], 1),
        ([False, True, True, False], [True, False], 1),
        ([True, OSError("the node is gone"), True], [True, False, True, False], 2),
    ],
)
def test_each_change_is_reported_and_a_lost_node_has_no_viewers(monkeypatch, answers, reported, opened):
    stop, told = threading.Event(), list[bool]()
    script = Script(answers, stop)
    monkeypatch.setattr(audience, "_open_watch", script.open)
    monkeypatch.setattr(audience, "_LOOK_S", 0.0)
    audience.follow_viewers("/dev/video10", told.append, stop)
    assert told == reported
    assert (script.opened, script.closed) == (opened, opened)


@pytest.fixture
def device(tmp_path, monkeypatch) -> FakeLoopback:
    monkeypatch.setattr(placeholder, "remove", lambda path: None)
    return FakeLoopback(tmp_path / "video10", monkeypatch)


def test_a_virtual_camera_is_probed_once_and_only_when_asked(device, monkeypatch):
    probed = []
    monkeypatch.setattr(audience, "can_follow", lambda path: probed.append(path) or True)
    sink = LoopbackSink(device.path, SIZE, 30)
    assert probed == []
    assert len(sink.viewers) == len(sink.viewers) == 1
    assert probed == [device.path]
    sink.close()


def test_a_virtual_camera_that_cannot_tell_has_none_to_follow(device, monkeypatch):
    monkeypatch.setattr(audience, "can_follow", lambda path: False)
    sink = LoopbackSink(device.path, SIZE, 30)
    assert sink.viewers == ()
    sink.close()


def test_what_is_not_there_cannot_be_followed(tmp_path):
    assert not audience.can_follow(str(tmp_path / "video10"))


class Watched(RecordingSink):
    fmt = PixelFormat.I420

    viewers: tuple[Any, ...]

    def __init__(self, *viewers: Any) -> None:
        super().__init__()
        self.viewers = viewers


def test_several_sinks_are_followed_together_or_not_at_all():
    one, other = object(), object()
    assert TeeSink([Watched(one), Watched(other)]).viewers == (one, other)
    assert TeeSink([Watched(one), Watched()]).viewers == (), "the one that cannot tell may have viewers"


def test_a_sink_that_reopens_is_followed_also_while_it_is_lost():
    viewer = object()

    def reopen() -> Watched:
        raise DeviceError("still gone; type: true")

    assert ReopeningSink(Watched(viewer), reopen, lambda _: None).viewers == (viewer,)
