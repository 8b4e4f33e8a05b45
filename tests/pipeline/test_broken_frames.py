"""A camera's frame is broken and its matte takes the room for the person: viewers never see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Content
from camdaemon.pipeline.state import Mode
from camdaemon.plate.gate import PlateGate
from tests.fakes import PerfectMatting, Rig


def rig_of(matting: PerfectMatting, *, is_live: bool = True) -> Rig:
    rig = Rig(matting=matting)
    processor = rig.pipeline.processor
    processor.engine = replace(processor.engine, gate=PlateGate(is_live=is_live))
    return rig


def play(rig: Rig, composites: int) -> None:
    rig.pipeline.start()
    rig.run_until(rig.published(Content.COMPOSITE, composites))
    rig.pipeline.stop()


def smear(matte: Matte) -> Matte:
    """The lower rows are full of what the plate does not know."""
    alpha, foreground = pixels.to_host(matte.alpha).copy(), np.ones_like(pixels.to_host(matte.foreground))
    alpha[:, :, 52:] = 1
    foreground[:, 1] = 0
    return replace(matte, alpha=alpha, foreground=foreground)


def test_every_fifth_frame_is_broken_and_no_viewer_sees_one() -> None:
    rig = rig_of(PerfectMatting(lambda n, matte: smear(matte) if n % 5 == 4 else matte))
    play(rig, 40)
    rig.assert_no_room()
    assert rig.counts()["held_back"] >= 8
    assert rig.counts().get("matting_errors", 0) == 0, "nor a card instead"


def test_the_first_frame_may_be_broken() -> None:
    rig = rig_of(PerfectMatting(lambda n, matte: smear(matte) if n == 0 else matte))
    play(rig, 5)
    rig.assert_no_room()


def test_a_pause_never_freezes_a_frame_that_was_held_back() -> None:
    rig = rig_of(PerfectMatting(lambda n, matte: smear(matte) if n % 2 else matte))
    rig.pipeline.start()
    rig.run_until(rig.published(Content.COMPOSITE, 5))
    for paused in (True, False) * 10:
        rig.state.scene = replace(rig.state.scene, paused=paused)
        rig.run_until(rig.published(Content.COMPOSITE, 2, since=len(rig.sink.frames)))
    rig.pipeline.stop()
    rig.assert_no_room()


def test_after_passthrough_a_frame_that_is_held_back_is_the_card() -> None:
    """Else viewers would go on seeing the room until another frame comes."""
    rig = rig_of(PerfectMatting())
    rig.pipeline.stage = replace(rig.pipeline.stage, repeat_s=60, stale_after_s=60)
    rig.state.scene = replace(rig.state.scene, mode=Mode.PASSTHROUGH)
    rig.pipeline.start()
    rig.run_until(rig.published(Content.ROOM, 3))
    rig.state.scene = replace(rig.state.scene, mode=Mode.MATTE)
    rig.run_until(rig.published(Content.COMPOSITE))
    rig.pipeline.stop()
    contents = rig.sink.contents()
    last_room = max(n for n, content in enumerate(contents) if content is Content.ROOM)
    assert contents[last_room + 1] is Content.CARD


def test_a_clip_is_played_frame_by_frame() -> None:
    """A file has no broken frames, and its film must have as many."""
    rig = rig_of(PerfectMatting(lambda n, matte: matte), is_live=False)
    play(rig, 10)
    assert "held_back" not in rig.counts()
