"""The gate tells the plate of this room from another's, and a lamp from both. Real pixels, true mattes."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import pytest

from camdaemon.errors import PlateMismatch
from camdaemon.frames import pixels
from camdaemon.frames.picture import Picture
from camdaemon.plate import gate as gates
from camdaemon.plate import light
from camdaemon.plate.gate import Health, PlateGate, State
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from tests.plate.painted import (
    EMPTY,
    SIZE,
    THERE,
    WAVING,
    alpha,
    film,
    lamp,
    moved,
    other_room,
    plate,
    tilted,
)

FPS_LIVE = 30.0

pytestmark = pytest.mark.usefixtures("one_thread")


def examine(gate: PlateGate, matcher: PlateMatcher, taken: Plate, seen: Picture, matte: Picture, t: float) -> bool:
    """One frame through matcher and gate, as the worker does it."""
    src, al = pixels.as_planes(seen), pixels.as_planes(matte)
    matcher.match(taken, src)
    moved_on = gate.examine(matcher, taken, src, al, t)
    matcher.learn(al)
    return moved_on


def gate_and_matcher() -> tuple[PlateGate, PlateMatcher]:
    return PlateGate(), PlateMatcher(pixels.as_planes, enabled=True)


def explain(rgb: Picture, taken: Picture, matte: Picture) -> Health:
    """Judge a single picture as live."""
    gate, matcher = gate_and_matcher()
    kept, seen = Plate(taken), pixels.as_planes(matte)
    matcher.upload_clean(kept)
    matcher.learn(seen)
    with contextlib.suppress(PlateMismatch):
        examine(gate, matcher, kept, rgb, matte, 0.0)
    return gate.health


@pytest.mark.parametrize("index", [EMPTY, THERE, WAVING, 90])
def test_the_plate_of_this_room_fits(index: int) -> None:
    found = explain(film(index), plate(), alpha(index))
    assert found.state is State.FITS
    assert found.share < 0.01
    assert found.reason == ""


@pytest.mark.parametrize("index", [EMPTY, THERE, WAVING])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda seen: other_room(),
        lambda seen: np.ascontiguousarray(plate()[:, ::-1]),
        lambda seen: np.full_like(plate(), 128),
    ],
    ids=["library", "mirrored", "gray"],
)
def test_a_plate_of_another_room_is_refused_and_the_user_told(wrong, index: int) -> None:
    found = explain(film(index), wrong(plate()), alpha(index))
    assert found.state is State.REFUSED
    assert found.share > 0.25
    assert "plate" in found.reason
    assert "camdaemon plate" in found.reason


@pytest.mark.parametrize("happens", [tilted, lambda seen: moved(seen, 80, 0), lambda seen: moved(seen, 0, -60)])
def test_a_turned_lid_and_a_camera_moved_far_are_refused(happens) -> None:
    found = explain(happens(film(THERE)), plate(), happens(alpha(THERE)))
    assert found.state is State.REFUSED


@pytest.mark.parametrize("side", ["left", "right", "top"])
@pytest.mark.parametrize("gain", [1.35, 0.75])
def test_a_lamp_at_one_side_is_explained(side: str, gain: float) -> None:
    found = explain(lamp(film(THERE), gain, side), plate(), alpha(THERE))
    assert found.state is State.FITS
    assert found.share < 0.1


def test_a_person_who_fills_the_picture_is_no_other_room() -> None:
    """Only a strip at one side shows the room, and the upper corner above it."""
    seen, matte = film(EMPTY), np.zeros((SIZE.height, SIZE.width), np.uint8)
    seen[:, 60:], matte[:, 60:] = (150, 110, 90), 255
    assert explain(seen, plate(), matte).state is State.FITS
    assert explain(seen, other_room(), matte).state is State.REFUSED


def test_next_to_no_room_is_nothing_to_judge_by() -> None:
    """A network with a wrong plate leaves as room just what happens to look alike."""
    matte = np.full((SIZE.height, SIZE.width), 255, np.uint8)
    matte[-40:, -60:] = 0
    found = explain(film(EMPTY), plate(), matte)
    assert found.state is State.REFUSED
    assert found.share < 0.05


def test_a_matte_that_hides_both_upper_corners_and_most_of_the_picture_is_refused() -> None:
    matte = np.full((SIZE.height, SIZE.width), 255, np.uint8)
    matte[-70:] = 0
    assert explain(film(EMPTY), plate(), matte).state is State.REFUSED


def test_what_differs_is_kept_block_by_block() -> None:
    seen = film(EMPTY)
    seen[80:160, 200:280] = 255 - seen[80:160, 200:280]
    found = explain(seen, plate(), alpha(EMPTY))
    assert found.side == 8
    assert found.differs.shape == (45, 80)
    assert found.differs[10:20, 25:35].mean() > 0.6
    assert found.differs.sum() == found.differs[10:20, 25:35].sum()


def test_each_frame_is_judged_by_itself_and_the_first_that_fits_is_let_through() -> None:
    gate, matcher = gate_and_matcher()
    right, wrong = film(THERE), other_room()
    taken, matte = Plate(plate()), alpha(THERE)
    for n, seen in enumerate([right, right, wrong, wrong, right, wrong, right]):
        if seen is right:
            examine(gate, matcher, taken, seen, matte, n / FPS_LIVE)
            assert gate.health.state is State.FITS
        else:
            with pytest.raises(PlateMismatch):
                examine(gate, matcher, taken, seen, matte, n / FPS_LIVE)
            assert gate.health.state is State.REFUSED


def test_a_lamp_that_flickers_shows_no_card() -> None:
    gate, matcher = gate_and_matcher()
    taken, matte = Plate(plate()), alpha(THERE)
    for n in range(12):
        seen = film(THERE) if n % 3 else lamp(film(THERE))
        assert not examine(gate, matcher, taken, seen, matte, n / FPS_LIVE)
        assert gate.health.state is State.FITS


def test_while_frames_are_refused_another_light_is_not_looked_for_in_each(monkeypatch: pytest.MonkeyPatch) -> None:
    searches, find = [], light.find_light
    monkeypatch.setattr(gates, "find_light", lambda *args: searches.append(1) or find(*args))
    gate, matcher = gate_and_matcher()
    taken = Plate(other_room())
    for n in range(30):
        with pytest.raises(PlateMismatch):
            examine(gate, matcher, taken, film(THERE), alpha(THERE), n / FPS_LIVE)
    assert 2 <= len(searches) <= 5


def test_a_health_is_never_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Health().share = 1.0  # type: ignore[misc]
