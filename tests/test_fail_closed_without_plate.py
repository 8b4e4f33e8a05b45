"""Fail closed, without a plate or with one that the frames contradict: no published frame shows the marked room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from camdaemon.frames.frame import Content
from camdaemon.plate.parts import Plate
from tests.fakes import BelievingMatting, FakeSource, PerfectMatting, Rig, room
from tests.test_fail_closed import FAILURES, stop

CARD, COMPOSITE = Content.CARD, Content.COMPOSITE


def other_room() -> Plate:
    return Plate(np.full_like(room(), (20, 40, 20)))


def changed_room() -> Plate:
    """The plate of this room before something was brought that covers a fifth of it."""
    rgb = room()
    rgb[:, :26] = 20, 40, 20
    return Plate(rgb)


def test_without_a_plate_a_matting_that_does_not_doubt_has_only_the_card():
    rig = Rig(plate=None, needs_plate=False)
    rig.pipeline.start()
    rig.run_until(rig.published(CARD, 20))
    stop(rig)
    assert set(rig.sink.contents()) == {CARD}


@pytest.mark.parametrize("backdrop", ["color:#00ff00", "blur:8"])
@pytest.mark.parametrize("plate", [None, other_room()], ids=["no plate", "another room's"])
def test_without_a_plate_that_fits_the_person_is_live_at_once_and_no_room(plate, backdrop):
    rig = Rig(matting=BelievingMatting(), plate=plate, needs_plate=False, backdrop=backdrop, is_live=True)
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 20))
    frames = stop(rig)
    composites = [rgb for content, _, rgb in frames if content is COMPOSITE]
    assert all((abs(rgb.astype(int) - 120).max(2) < 12).mean() > 0.08 for rgb in composites), "the person is missing"
    assert CARD not in rig.sink.contents()[rig.sink.contents().index(COMPOSITE) : -1]


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("plate", [None, other_room(), changed_room()], ids=["no plate", "another room's", "changed"])
def test_without_a_plate_that_fits_every_failure_is_the_card(plate, name):
    matting = PerfectMatting(FAILURES[name](), doubts=True)
    rig = Rig(matting=matting, plate=plate, needs_plate=False)
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 3))
    rig.run_until(lambda: matting.calls > 25)
    stop(rig)
    assert CARD in rig.sink.contents()[rig.sink.contents().index(COMPOSITE) : -1]


def test_what_the_frame_contradicts_is_not_trusted_in_its_own_matte_nor_later():
    rig = Rig(matting=PerfectMatting(doubts=True), plate=changed_room(), source=FakeSource(enters=5))
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 10))
    stop(rig)
    first, *later = rig.matting.told
    assert first is None
    for told in later:
        assert not told[0, 0, :, :3].any()
        assert told[0, 0, :, 4:].all()


def test_a_plate_that_stops_to_fit_while_it_runs_leaks_nothing():
    rig = Rig(matting=BelievingMatting(), needs_plate=False, is_live=True)
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 5))
    for taken in (other_room(), None, rig.plate, other_room()):
        rig.state.scene = replace(rig.state.scene, plate=taken)
        rig.run_until(rig.published(COMPOSITE, 5, since=len(rig.sink.frames) + 2))
    stop(rig)


def test_without_a_plate_the_clean_room_is_the_card_and_nothing_else():
    rig = Rig(matting=BelievingMatting(), plate=None, needs_plate=False, backdrop="plate")
    rig.pipeline.start()
    rig.run_until(rig.published(CARD, 20))
    stop(rig)
    assert set(rig.sink.contents()) == {CARD}


@pytest.mark.parametrize("backdrop", ["plate", "blur:8"])
def test_what_was_never_photographed_is_not_shown_behind_the_person(backdrop):
    """All but a strip of the plate is what the camera sees now: the marked room."""
    rgb, confidence = room(), np.zeros((9, 16), np.float32)
    rgb[:, :24], confidence[:, :3] = (20, 40, 20), 1
    rig = Rig(matting=PerfectMatting(doubts=True), plate=Plate(rgb, confidence), needs_plate=False, backdrop=backdrop)
    rig.pipeline.start()
    rig.run_until(rig.published(COMPOSITE, 5))
    stop(rig)
