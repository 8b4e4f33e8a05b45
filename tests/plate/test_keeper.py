"""The keeper has the plate follow the camera, grow where nothing is known, and heal where the room has changed.

Real pixels of the painter; the matting knows the truth.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from camdaemon.frames import pixels
from camdaemon.frames.picture import Picture
from camdaemon.frames.pixels import Array
from camdaemon.plate.gate import PlateGate, State
from camdaemon.plate.keeper import PlateKeeper
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Origin, Plate
from camdaemon.plate.report import PlateReport
from tests.plate.painted import EMPTY, SIZE, THERE, alpha, film, lamp, moved, other_room, plate

ANY = pixels.as_planes(np.zeros((SIZE.height, SIZE.width, 3), np.uint8))  # what is told depends on its kind only
PLACE = (slice(80, 160), slice(440, 520))  # of a thing that is brought, beside the person
BLOCKS = (slice(10, 20), slice(55, 65))
NOBODY = np.zeros((SIZE.height, SIZE.width), np.uint8)

pytestmark = pytest.mark.usefixtures("one_thread")


class Room:
    """A keeper with its matcher and gate, as the worker uses them; `look` is one frame with its true matte."""

    def __init__(self, taken: Plate | None, *others: Plate, grows: bool = True, doubts: bool = True) -> None:
        self.others = others
        self.gate = PlateGate(doubts=doubts, needs_plate=False, refuses=False)
        self.matcher, self.keeper = PlateMatcher(pixels.as_planes, enabled=True), PlateKeeper(grows=grows)
        self.taken, self.alone = taken, NOBODY  # what the network sees without a plate
        self.t = 0.0
        self.asked = 0

    def matte_alone(self, picture: Array) -> Array | None:
        self.asked += 1
        return pixels.as_planes(self.alone) if self.gate.doubts else None

    def look(self, seen: Picture, matte: Picture) -> PlateReport:
        self.t += 0.1
        src, cover = pixels.as_planes(seen), pixels.as_planes(matte)
        for _ in range(2):
            current = self.keeper.use(
                self.taken, (SIZE.height, SIZE.width), self.matte_alone, pixels.as_planes, self.others
            )
            self.gate.confidence(current, src)
            self.matcher.match(current, src)
            if not self.gate.examine(self.matcher, current, src, cover, self.t):
                break
        self.gate.clean(cover, self.t)
        self.gate.confirm(self.t)
        self.matcher.learn(cover)
        self.keeper.tend(self.matcher, self.gate, src, self.t)
        assert self.keeper.report is not None
        return self.keeper.report

    def watch(self, seconds: float, seen: Picture, matte: Picture) -> PlateReport:
        self.alone = matte
        for _ in range(round(10 * seconds)):
            report = self.look(seen, matte)
        return report

    def known(self) -> np.ndarray:
        current = self.keeper.use(
            self.taken, (SIZE.height, SIZE.width), self.matte_alone, pixels.as_planes, self.others
        )
        told = self.gate.confidence(current, ANY)
        return np.ones((45, 80)) if told is None else pixels.to_host(told)[0, 0]

    def error(self, seen: Picture) -> float:
        """How far the trusted plate is from the room, in levels."""
        current = self.keeper.use(
            self.taken, (SIZE.height, SIZE.width), self.matte_alone, pixels.as_planes, self.others
        )
        matched = pixels.interleave(pixels.to_host(self.matcher.match(current, pixels.as_planes(seen))))
        where = self.known().repeat(8, 0).repeat(8, 1) > 0
        return float(np.abs(matched.astype(float) - seen)[where].mean())


def tilted(seen: Picture) -> Picture:
    """What a camera sees in a lid that was turned back a little: the room sinks by a tenth, and leans."""
    w, h = SIZE.width, SIZE.height
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    matrix = cv2.getPerspectiveTransform(
        corners, corners + np.array([[-12, 36], [12, 36], [0, 36], [0, 36]], np.float32)
    )
    return np.asarray(cv2.warpPerspective(seen, matrix, (w, h), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def brought(seen: Picture) -> Picture:
    out = seen.copy()
    out[PLACE] = 255 - out[PLACE]
    return out


@pytest.mark.parametrize("by", [(10, 0), (-7, 7), (60, 20)])
@pytest.mark.parametrize("doubts", [True, False])
def test_a_bumped_camera_is_followed_before_the_next_frame(by: tuple[int, int], doubts: bool) -> None:
    room = Room(Plate(plate()), doubts=doubts)
    room.look(film(THERE), alpha(THERE))
    room.look(moved(film(THERE), *by), moved(alpha(THERE), *by))
    report = room.look(moved(film(THERE), *by), moved(alpha(THERE), *by))
    assert report.moved == pytest.approx(np.hypot(*by), abs=1)
    assert room.gate.health.state is State.FITS
    assert room.gate.health.share < 0.05
    if doubts:
        assert not room.known()[:, 0 if by[0] > 0 else -1].any(), "what was revealed"
        assert room.known()[:, 10:-1].mean() > 0.85


def test_a_turned_lid_is_followed_and_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    room = Room(Plate(plate()))
    room.look(film(THERE), alpha(THERE))
    report = room.watch(0.3, tilted(film(THERE)), tilted(alpha(THERE)))
    assert report.moved == pytest.approx(36, abs=4)
    assert room.gate.health.share < 0.05
    assert "aligned by 3" in caplog.text
    report = room.watch(3, film(THERE), alpha(THERE))
    assert report.moved < 2
    assert report.known > 0.95


def test_a_lamp_is_no_movement() -> None:
    room = Room(Plate(plate()))
    for n in range(12):
        report = room.look(lamp(film(THERE)) if n % 4 > 1 else film(THERE), alpha(THERE))
    assert report.moved == 0
    assert report.known > 0.97


def test_another_rooms_plate_is_put_aside_and_another_grows_until_it_fits_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    room = Room(Plate(plate()))
    seen = other_room()
    assert room.look(seen, NOBODY).known == 0
    report = room.watch(6, seen, NOBODY)
    assert report.chosen is None
    assert report.known > 0.9
    assert report.plate.share(Origin.GROWN) > 0.9
    assert np.array_equal(room.keeper.shown.rgb, plate()), "backdrops go on with the photograph"
    assert [each.message for each in caplog.records if "put aside" in each.message and each.levelname == "WARNING"]
    report = room.watch(9, film(EMPTY), NOBODY)
    assert report.chosen is room.taken
    assert report.plate.rgb is plate() or np.array_equal(report.plate.rgb, plate())


def test_the_plate_of_the_place_where_the_camera_stands_is_used() -> None:
    home, office = Plate(plate()), Plate(other_room())
    room = Room(office, Plate(np.ascontiguousarray(plate()[:, ::-1])), home)
    report = room.look(moved(film(THERE), 8, 0), moved(alpha(THERE), 8, 0))
    assert report.chosen is home
    assert room.look(moved(film(THERE), 8, 0), moved(alpha(THERE), 8, 0)).known > 0.9
    report = room.watch(0.5, other_room(), NOBODY)
    assert report.chosen is office
    assert report.known > 0.97


def test_a_plate_that_grew_in_an_earlier_run_is_gone_on_with() -> None:
    room = Room(None)
    grown = room.watch(4, film(THERE), alpha(THERE))
    blank = Plate(np.full_like(plate(), 128), np.zeros((45, 80), np.float32), growth=grown.growth)
    again = Room(blank)
    report = again.look(film(THERE), alpha(THERE))
    assert report.known == pytest.approx(grown.known, abs=0.02)
    assert not report.plate.is_shot


def test_a_plate_grows_from_nothing_beside_a_person_and_never_learns_them() -> None:
    room = Room(None)
    report = room.watch(4, film(THERE), alpha(THERE))
    assert report.known > 0.4
    person = cv2.resize((alpha(THERE) > 5).astype(np.float32), (80, 45), interpolation=cv2.INTER_AREA) > 0
    assert not room.known()[person].any()
    assert room.error(plate()) < 6
    assert room.asked <= 1, "of the faint edges; while nothing is known, the frame's own matte is made without a plate"
    report = room.watch(4, film(EMPTY), NOBODY)
    assert report.known > 0.97, "they have stepped out"
    assert not report.plate.is_shot


@pytest.mark.parametrize("is_person", [False, True])
def test_what_the_matte_is_not_sure_of_is_learned_if_the_network_sees_the_room_there_without_a_plate(
    is_person: bool,
) -> None:
    """What lies unknown beside somebody looks like a part of them to a network that knows the rest of the room."""
    room, beside = Room(None), (slice(200, 280), slice(560, 640))
    report = room.watch(2.5, film(THERE), np.maximum(alpha(THERE), _only(beside, 255)))
    assert 0.3 < report.known < 0.97, "the rest has grown"
    room.alone = np.maximum(alpha(THERE), _only(beside, 255 if is_person else 0))
    for _ in range(28):  # after 3 s of standing still it would be a loose thing in any case
        room.look(film(THERE), np.maximum(alpha(THERE), _only(beside, 128)))
    assert bool(room.known()[27:33, 72:79].all()) != is_person


def _only(where: tuple[slice, slice], level: int) -> np.ndarray:
    matte = NOBODY.copy()
    matte[where] = level
    return matte


def test_what_was_brought_becomes_room_and_the_place_where_it_stood_again() -> None:
    room = Room(Plate(plate()))
    room.look(film(EMPTY), NOBODY)
    room.watch(0.8, brought(film(EMPTY)), NOBODY)
    assert room.known()[BLOCKS].mean() < 0.4
    report = room.watch(4, brought(film(EMPTY)), NOBODY)
    assert room.known()[BLOCKS].mean() > 0.9
    assert 0 < report.healed < 0.05
    assert room.error(brought(plate())) < 5
    assert room.look(film(EMPTY), NOBODY).known < 0.99, "what was learned a moment ago is not believed against a frame"
    report = room.watch(8, film(EMPTY), NOBODY)
    assert room.known()[BLOCKS].mean() > 0.9
    assert room.error(plate()) < 5


def test_what_the_network_calls_a_person_without_a_plate_is_not_healed() -> None:
    room = Room(Plate(plate()))
    room.look(film(EMPTY), NOBODY)
    room.alone = NOBODY.copy()
    room.alone[PLACE] = 255
    for _ in range(40):
        report = room.look(brought(film(EMPTY)), NOBODY)
    assert report.healed == 0
    assert room.known()[BLOCKS].mean() < 0.4
    assert room.asked <= 2 + 2 * 1, "once a while, not with each frame"


def test_a_room_that_moves_is_never_learned() -> None:
    room, noise = Room(Plate(plate())), np.random.default_rng(0)
    room.look(film(EMPTY), NOBODY)
    for _ in range(60):
        seen = film(EMPTY)
        seen[PLACE] = noise.integers(0, 256, 3)
        report = room.look(seen, NOBODY)
    assert room.known()[BLOCKS].mean() < 0.3
    assert report.healed < 0.005


def test_a_person_in_the_plate_is_told_and_not_trusted(caplog: pytest.LogCaptureFixture) -> None:
    taken = plate().copy()
    there = alpha(THERE) > 128
    taken[there] = film(THERE)[there]
    room = Room(Plate(taken))
    room.alone = np.minimum(alpha(THERE), alpha(THERE)[:, ::-1])  # what is seen in the mirror as well
    report = room.look(film(EMPTY), NOBODY)
    assert report.person != ""
    room.look(film(EMPTY), NOBODY)
    (said,) = (each.message for each in caplog.records if "somebody" in each.message)
    assert f"somebody is in the plate, {report.person}" in said
    seen = cv2.resize((room.alone > 128).astype(np.float32), (80, 45), interpolation=cv2.INTER_AREA) > 0
    assert not room.known()[seen].any()


def test_with_grow_off_nothing_is_learned() -> None:
    room = Room(Plate(plate()), grows=False)
    room.look(film(EMPTY), NOBODY)
    report = room.watch(6, brought(film(EMPTY)), NOBODY)
    assert report.healed == 0
    assert Room(None, grows=False).watch(4, film(EMPTY), NOBODY).known == 0
