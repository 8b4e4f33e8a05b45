"""Camera and sinks are opened first: who reads a device sees the card while the rest is loaded."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from camdaemon.config.schema import Config
from camdaemon.daemon import opening
from camdaemon.daemon.opening import Ends, Playing
from camdaemon.errors import DeviceError
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content, HostFrame
from camdaemon.output import Sink
from camdaemon.output.reopening import ReopeningSink
from camdaemon.output.tee import TeeSink
from camdaemon.pipeline.camera_reader import CameraInput
from camdaemon.pipeline.metrics import Metrics
from tests.fakes import FakeSource, RecordingSink


class Device(RecordingSink):
    """What other programs read: one thread after another may write to it."""

    can_reopen = True

    def __init__(self, fail_at: int | None = None) -> None:
        super().__init__(fail_at=fail_at)
        self.seen = threading.Event()  # the card was repeated

    def write(self, frame: HostFrame) -> None:
        self._thread = None
        super().write(frame)
        if len(self.frames) > 3:
            self.seen.set()


def ends_of(*sinks: Sink) -> Ends:
    source = FakeSource()
    parts = [
        ReopeningSink(each, partial(lambda it: it, each), lambda _: None) if each.can_reopen else each for each in sinks
    ]
    sink = TeeSink(parts) if len(parts) > 1 else parts[0]
    camera = CameraInput(source, lambda: source, None)
    return Ends(camera, sink, sink.size, CardCache(sink.fmt, sink.size), Metrics())


def test_a_device_shows_the_card_at_once_and_again_until_the_rest_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_REPEAT_S", 0.001)
    device = Device()
    with ends_of(device).showing_card():
        assert device.frames, "at once"
        assert device.seen.wait(60), "again"
    shown = len(device.frames)
    assert {content for content, *_ in device.frames} == {Content.CARD}
    assert len(device.frames) == shown, "the output thread's from now on"


def test_a_window_belongs_to_its_thread_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_REPEAT_S", 0.001)
    device, window = Device(), RecordingSink()
    with ends_of(window, device).showing_card():
        assert device.seen.wait(60)
    assert not window.frames


def test_a_device_that_is_lost_meanwhile_ends_nothing() -> None:
    device = Device(fail_at=0)
    with ends_of(device).showing_card():
        pass
    assert not device.frames


def test_what_cannot_be_opened_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FakeSource()

    def refuse(*_: object, **__: object) -> Sink:
        raise DeviceError("there is no such device; type: true")

    monkeypatch.setattr(opening, "open_source", lambda *_, **__: source)
    monkeypatch.setattr(opening, "open_sink", refuse)
    with pytest.raises(DeviceError, match="no such device"):
        opening.open_ends(Config(source="pattern", sink="null"), Playing())
    assert source.closed
