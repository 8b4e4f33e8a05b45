"""What the worker publishes of its engine, and questions that change nothing."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Content, HostFrame, PixelFormat
from camdaemon.matting.effort import Effort
from camdaemon.pipeline.engine import EngineSnapshot
from camdaemon.pipeline.governor import Governor
from camdaemon.pipeline.worker import FrameProcessor
from tests.fakes import SIZE, OutOfMemory, PerfectMatting, Rig

BEST, LESS = Effort(), Effort(every=2)


class Slow(PerfectMatting):
    """Its effort is its own, not that of the class."""

    def __init__(self) -> None:
        super().__init__()
        self.effort = BEST


@pytest.fixture
def rig() -> Rig:
    return Rig(matting=Slow())


def processor_with_a_governor(rig: Rig) -> FrameProcessor:
    made = rig.pipeline.processor
    return replace(made, engine=replace(made.engine, governor=Governor(1 / 30, (BEST, LESS))))


def composite(seq: int) -> HostFrame:
    frame = HostFrame.empty(PixelFormat.I420, SIZE)
    frame.seq, frame.t, frame.content, frame.matte_seq = seq, seq / 30, Content.COMPOSITE, seq
    return frame


def test_the_snapshot_is_there_before_the_pipeline_starts(rig: Rig) -> None:
    assert rig.pipeline.engine == EngineSnapshot("cpu", "perfect", str(BEST), is_reduced=False)


def test_a_snapshot_is_never_changed_in_place(rig: Rig) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        rig.pipeline.engine.effort = "another"  # type: ignore[misc]


def test_a_lower_effort_is_published_as_a_new_snapshot(rig: Rig) -> None:
    processor = processor_with_a_governor(rig)
    first = processor.snapshot
    for seq in range(200):
        processor.record_time(1.0, composite(seq))
        if processor.snapshot is not first:
            break
    assert processor.snapshot == EngineSnapshot("cpu", "perfect", str(LESS), is_reduced=True)
    assert first.effort == str(BEST)


@pytest.mark.parametrize(("share", "is_reduced"), [(1, True), (0.9, True), (0.5, False)])
def test_what_could_have_been_done_ahead_is_no_reason_for_less_effort(
    share: float, is_reduced: bool, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 55 ms; a frame of the camera has 33."""
    processor = processor_with_a_governor(rig)
    monkeypatch.setattr(PerfectMatting, "prepared_cost", lambda self, seconds: share * seconds)
    for seq in range(200):
        processor.record_time(0.055, composite(seq))
    assert processor.snapshot.is_reduced == is_reduced


def test_another_engine_is_published_as_a_new_snapshot() -> None:
    def fail(n: int, matte: Matte) -> Matte:
        raise OutOfMemory("fake")

    class Other(PerfectMatting):
        name = "other"

    rig = Rig(matting=PerfectMatting(fail))
    processor = rig.pipeline.processor
    processor.make_engine = lambda: replace(processor.engine, matting=Other())
    rig.pipeline.start()
    rig.run_until(lambda: rig.pipeline.engine.matting == "other")
    rig.run_until(rig.published(Content.COMPOSITE))
    rig.pipeline.stop()
    rig.assert_no_room()


def test_to_ask_whether_a_frame_is_skipped_changes_nothing(rig: Rig) -> None:
    processor, source = rig.pipeline.processor, rig.transfer.pool(PixelFormat.RGB, SIZE)
    rig.matting.effort = LESS
    out = HostFrame.empty(PixelFormat.I420, SIZE)
    skipped = []
    for seq in range(6):
        frame = source.acquire()
        frame.seq = seq
        answers = {processor.should_skip(frame) for _ in range(3)}
        assert len(answers) == 1
        skipped.append(answers.pop())
        if skipped[-1]:
            source.release(frame)
        else:
            processor.run(frame, source, rig.state.scene, out)
    assert skipped == [False, True, False, True, False, True]
