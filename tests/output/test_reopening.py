"""A virtual camera that is lost and comes back."""

import pytest

from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.output.reopening import ReopeningSink
from tests.fakes import SIZE, RecordingSink


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Shop:
    """Opens sinks; raises while `gone`."""

    def __init__(self) -> None:
        self.gone, self.asked, self.size = True, 0, SIZE
        self.opened: list[RecordingSink] = []

    def __call__(self) -> RecordingSink:
        self.asked += 1
        if self.gone:
            raise DeviceError("/dev/video10: no such device; type: true")
        self.opened.append(RecordingSink(self.size))
        return self.opened[-1]


@pytest.fixture
def frame() -> HostFrame:
    return HostFrame.empty(RecordingSink.fmt, SIZE)


def test_it_comes_back_and_goes_on(frame: HostFrame) -> None:
    clock, shop = Clock(), Shop()
    counted: list[str] = []
    first = RecordingSink(fail_at=2)
    sink = ReopeningSink(first, shop, counted.append, clock)
    for _ in range(3):
        sink.write(frame)
    assert first.closed
    assert sink.is_lost
    assert counted == ["sink_lost"]
    sink.write(frame)
    assert shop.asked == 0, "not before half a second"
    clock.now = 0.5
    sink.write(frame)
    clock.now = 1.0
    sink.write(frame)
    assert shop.asked == 1, "then less and less often"
    shop.gone, clock.now = False, 10.0
    sink.write(frame)
    assert not sink.is_lost
    assert counted == ["sink_lost", "sink_back"]
    assert len(shop.opened[0].frames) == 1
    sink.close()
    assert shop.opened[0].closed


def test_it_asks_at_least_every_five_seconds(frame: HostFrame) -> None:
    clock, shop = Clock(), Shop()
    sink = ReopeningSink(RecordingSink(fail_at=0), shop, lambda _: None, clock)
    for tenth in range(1000):
        clock.now = tenth / 10
        sink.write(frame)
    assert 20 <= shop.asked <= 26


def test_one_of_another_size_is_not_taken(frame: HostFrame) -> None:
    clock, shop = Clock(), Shop()
    shop.gone, shop.size = False, Size(320, 180)
    sink = ReopeningSink(RecordingSink(fail_at=0), shop, lambda _: None, clock)
    sink.write(frame)
    clock.now = 1.0
    sink.write(frame)
    assert sink.is_lost
    assert shop.opened[0].closed


def test_a_closed_window_is_an_end(frame: HostFrame) -> None:
    class Window(RecordingSink):
        def write(self, frame: HostFrame) -> None:
            raise StreamEnded("the window was closed")

    with pytest.raises(StreamEnded):
        ReopeningSink(Window(), Shop(), lambda _: None).write(frame)
