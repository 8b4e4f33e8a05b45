"""The next frame is begun early where that saves time, and is shown as if it had not been."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from camdaemon.frames.frame import Content, HostFrame, PixelFormat
from camdaemon.frames.handoff import Closed, Mailbox
from camdaemon.frames.picture import copy_to_host
from camdaemon.frames.pixels import Array
from camdaemon.matting.effort import Effort
from camdaemon.pipeline.look_ahead import Incoming
from tests.fakes import SIZE, FakeSource, PerfectMatting, Rig


class Preparing(PerfectMatting):
    """Remembers what it was told to begin with, and which of it was then asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.begun: list[tuple[Array, Array, Array | None]] = []
        self.used = 0

    def prepare(self, src: Array, plate: Array, confidence: Array | None) -> None:
        self.begun.append((src, plate, confidence))

    def __call__(
        self,
        src: Array,
        plate: Array,
        confidence: Array | None,
        seq: int,
        halfway: Callable[[], None] | None = None,
    ) -> Any:
        same = [a is src and b is plate and c is confidence for a, b, c in self.begun]
        self.used += any(same)
        return super().__call__(src, plate, confidence, seq, halfway)


def clip(frames: int) -> FakeSource:
    return FakeSource(frames, fps=1000, live=False)


def play(matting: Preparing, frames: int = 12, **options: Any) -> Rig:
    rig = Rig(source=clip(frames), matting=matting, keep_all=True, repeat_s=None, stale_after_s=60, **options)
    rig.pipeline.start()
    assert rig.pipeline.wait(60)
    rig.pipeline.stop()
    return rig


@pytest.mark.parametrize("doubts", [False, True])
def test_every_frame_of_a_file_but_the_first_is_begun_and_asked_for_as_it_was(doubts: bool) -> None:
    matting = Preparing(doubts=doubts)
    rig = play(matting)
    assert rig.sink.contents().count(Content.COMPOSITE) == 12
    assert len(matting.begun) == matting.used == 11
    rig.assert_no_room()


def test_a_file_looks_the_same_with_and_without() -> None:
    class Plain(Preparing):
        def prepare(self, *_: Any) -> None:
            raise RuntimeError("not today")

    with_it, without = (play(matting).sink.frames for matting in (Preparing(doubts=True), Plain(doubts=True)))
    shown = [[(seq, rgb.tobytes()) for _, seq, rgb in frames] for frames in (with_it, without)]
    assert len(shown[0]) > 10
    assert shown[0] == shown[1]


@pytest.mark.parametrize("is_early", [True, False], ids=["before half of the matte", "after it"])
def test_a_frame_that_comes_while_another_is_in_work_is_begun_at_the_next_opportunity(is_early: bool) -> None:
    """A camera's frame, which the one after it would otherwise displace."""
    came: list[HostFrame] = []

    class Slow(Preparing):
        def __call__(self, *given: Any, **options: Any) -> Any:
            if is_early:
                came.append(numbered(1))
            assert not self.begun
            matte = super().__call__(*given, **options)
            assert len(self.begun) == is_early
            if not is_early:
                came.append(numbered(1))
            return matte

    matting = Slow()
    rig = Rig(matting=matting)
    processor, pool = rig.pipeline.processor, rig.transfer.pool(PixelFormat.RGB, SIZE)
    processor.peek = lambda: came[0] if came else None
    processor.run(pool.acquire(), pool, rig.state.scene, HostFrame.empty(PixelFormat.I420, SIZE))
    assert len(matting.begun) == 1, "once"


@pytest.mark.parametrize("why", ["effort", "mode"])
def test_nothing_is_begun_where_the_frame_may_get_no_matte(why: str) -> None:
    matting = Preparing()
    if why == "effort":
        matting.effort = Effort(every=2)
        play(matting)
    else:
        play(matting, plate=None)
    assert not matting.begun


def numbered(seq: int) -> HostFrame:
    frame = HostFrame.empty(PixelFormat.RGB, SIZE)
    frame.seq = seq
    return frame


@pytest.fixture
def live() -> Iterator[Mailbox[HostFrame]]:
    inbox: Mailbox[HostFrame] = Mailbox()
    yield inbox
    inbox.close()


def test_a_frame_that_was_seen_early_is_the_next_one(live: Mailbox[HostFrame]) -> None:
    incoming = Incoming(live)
    assert incoming.peek() is None, "a camera is not waited for"
    first, second = numbered(0), numbered(1)
    live.put(first)
    assert incoming.peek() is incoming.peek() is first
    assert live.put(second) is None, "the slot is free"
    assert incoming.take() is first
    assert incoming.take() is second


def test_the_end_is_told_when_the_frame_is_taken(live: Mailbox[HostFrame]) -> None:
    incoming = Incoming(live)
    live.close()
    assert incoming.peek() is None
    with pytest.raises(Closed):
        incoming.take()


def test_each_frame_is_begun_with_its_own_picture() -> None:
    matting = Preparing()
    rig = play(matting, frames=4)
    pictures = {copy_to_host(src).tobytes() for src, _, _ in matting.begun}
    assert len(pictures) == 3, "each is the picture of its frame"
    assert rig.counts().get("faults", 0) == 0
