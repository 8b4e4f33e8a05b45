"""Law 4 through every fault of a plate: whatever happens to room, light and camera, nothing of the room is published.

All that is room here, whatever happens to it, has about the marker color, and what was photographed has not. So a
marked pixel is the camera's room, be it in the matte, in a backdrop that is made of the plate, or in what was learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from camdaemon.backdrop import make_backdrop
from camdaemon.errors import SuddenChange
from camdaemon.frames.card import CardCache
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.frames.transfer import HostTransfer
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.engine import Engine
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Scene
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.plate.gate import PlateGate
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Origin, Plate
from tests.fakes import PERSON, PerfectMatting, marked

SIZE = Size(256, 144)
FPS, EVENT, FRAMES = 10, 15, 70
THING = (slice(20, 60), slice(180, 230))

Room = Callable[[int], np.ndarray]  # the number of a frame → the room that the camera sees
Places = Callable[[int], list[int]]  # the number of a frame → where people are, pixels from the left


def marked_room(seed: int = 0) -> np.ndarray:
    """A room with structure, all of it of about the marker's color."""
    random = np.random.default_rng(seed)
    levels = random.integers(150, 250, (18, 32, 1)).repeat(8, 0).repeat(8, 1)
    return np.asarray(np.concatenate([levels, 0 * levels, levels], 2), np.uint8)


def photograph() -> np.ndarray:
    """What was photographed of that room: the same structure, without the marker's color."""
    return np.asarray(marked_room()[..., :1] // 6 * np.array([1, 0.8, 1]), np.uint8)


def shifted(rgb: np.ndarray, right: int, down: int) -> np.ndarray:
    return np.roll(rgb, (down, right), (0, 1))


def turned(rgb: np.ndarray, degrees: float = 0.0, scale: float = 1.0) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((SIZE.width / 2, SIZE.height / 2), degrees, scale)
    return np.asarray(cv2.warpAffine(rgb, matrix, (SIZE.width, SIZE.height), borderMode=cv2.BORDER_REFLECT_101))


def tilted(rgb: np.ndarray) -> np.ndarray:
    """As by a lid that is turned back: the room sinks, and its lines lean."""
    width, height = SIZE.width, SIZE.height
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    to = corners + np.array([[-5, 14], [5, 14], [0, 14], [0, 14]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, to.astype(np.float32))
    return np.asarray(cv2.warpPerspective(rgb, matrix, (SIZE.width, SIZE.height), borderMode=cv2.BORDER_REFLECT_101))


def with_thing(rgb: np.ndarray, seed: int = 5, right: int = 0) -> np.ndarray:
    out = rgb.copy()
    out[THING] = np.roll(marked_room(seed), right, 1)[THING]
    return out


ROOM = marked_room()
FAULTS: dict[str, Room] = {
    "nothing": lambda n: ROOM,
    "a bump": lambda n: ROOM if n < EVENT else shifted(ROOM, 11, -4),
    "a far bump": lambda n: ROOM if n < EVENT else shifted(ROOM, 60, 20),
    "a turn": lambda n: ROOM if n < EVENT else turned(ROOM, degrees=2),
    "another zoom": lambda n: ROOM if n < EVENT else turned(ROOM, scale=1.05),
    "a lid's tilt": lambda n: ROOM if n < EVENT else tilted(ROOM),
    "another view": lambda n: ROOM if n < EVENT else marked_room(9),
    "a lamp": lambda n: ROOM if not EVENT <= n < 40 else np.asarray(ROOM * 0.75, np.uint8),
    "dusk": lambda n: np.asarray(ROOM * max(0.65, 1 - 0.01 * max(0, n - EVENT)), np.uint8),
    "pumping": lambda n: np.asarray(ROOM * (0.9 + 0.1 * np.sin(n)), np.uint8),
    "a thing brought": lambda n: ROOM if n < EVENT else with_thing(ROOM),
    "a thing gone": lambda n: with_thing(ROOM) if n < EVENT else ROOM,
    "a thing moved": lambda n: with_thing(ROOM, right=0 if n < EVENT else 40),
    "a screen": lambda n: with_thing(ROOM, seed=n),
    "all of it": lambda n: with_thing(shifted(ROOM, 3 * (n // 20), 0), seed=n // 30),
}


class Stage:
    """A frame processor that is shown a room with somebody in it.

    Args:
        taken: The plate.
        backdrop: What viewers see instead of the room.
        matting: Of the engine.
        places: The left edges of the people in a frame, by its number.
    """

    def __init__(
        self, taken: Plate | None, backdrop: str, matting: PerfectMatting, places: Places = lambda n: [60 + n % 3]
    ) -> None:
        metrics, transfer = Metrics(), HostTransfer(SIZE)
        engine = Engine(
            transfer,
            matting,
            PlateMatcher(transfer.upload_picture, enabled=True),
            Compositor(transfer.upload_picture, metrics),
            gate=PlateGate(is_live=True, doubts=True, needs_plate=False),
        )
        self.processor = FrameProcessor(engine, CardCache(PixelFormat.RGB, SIZE), metrics, LivePreview())
        self._pool = transfer.pool(PixelFormat.RGB, SIZE)
        self._scene = Scene(make_backdrop(backdrop, SIZE), taken)
        self._count, self._places = 0, places

    def show(self, room: np.ndarray) -> HostFrame | None:
        """Return what is published of the next frame; None for one that is held back."""
        n, out = self._count, HostFrame.empty(PixelFormat.RGB, SIZE)
        frame = self._pool.acquire()
        frame.data[:], frame.seq, frame.t = room, n, n / FPS
        for left in self._places(n):
            frame.data[50:, left : left + 60] = PERSON
        self._count += 1
        with self.processor.engine.transfer.computing():
            try:
                self.processor.run(frame, self._pool, self._scene, out)
            except SuddenChange:
                return None
            finally:
                self.processor.tend()
        return out

    def play(self, room: Room, frames: int = FRAMES) -> list[HostFrame]:
        shown = [self.show(room(n)) for n in range(frames)]
        return [out for out in shown if out is not None]


def assert_no_room(frames: list[HostFrame]) -> None:
    assert len(frames) > FRAMES // 2
    assert not [out.seq for out in frames if marked(out.data) > 0]


@pytest.mark.parametrize("backdrop", ["color:#00ff00", "blur:8", "plate"])
@pytest.mark.parametrize("fault", FAULTS)
def test_through_every_fault_only_the_person_is_published(fault: str, backdrop: str) -> None:
    stage = Stage(Plate(photograph()), backdrop, PerfectMatting(doubts=True))
    frames = stage.play(FAULTS[fault])
    assert_no_room(frames)
    composites = [out for out in frames if out.content is Content.COMPOSITE]
    assert len(composites) > 0.9 * len(frames)
    assert all(out.matte_seq == out.seq for out in composites)


@pytest.mark.parametrize("backdrop", ["color:#00ff00", "blur:8"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_grows_without_a_plate_is_never_a_picture_for_viewers(fault: str, backdrop: str) -> None:
    stage = Stage(None, backdrop, PerfectMatting(doubts=True))
    assert_no_room(stage.play(FAULTS[fault]))
    report = stage.processor.keeper.report
    assert report is not None
    assert fault == "pumping" or report.plate.share(Origin.GROWN) > 0.3, "or nothing was tested"
    assert not report.plate.is_shot


PEOPLE: dict[str, Places] = {
    "two people": lambda n: [60 + n % 3] + ([170 - n % 2] if n >= EVENT else []),
    "somebody who sits still": lambda n: [60],
}


@pytest.mark.parametrize("backdrop", ["color:#00ff00", "blur:8"])
@pytest.mark.parametrize("taken", [Plate(photograph()), None], ids=["plate", "no plate"])
@pytest.mark.parametrize("people", PEOPLE)
def test_whoever_is_there_the_room_is_not_published(people: str, taken: Plate | None, backdrop: str) -> None:
    stage = Stage(taken, backdrop, PerfectMatting(doubts=True), PEOPLE[people])
    frames = stage.play(FAULTS["nothing"], 90)
    assert_no_room(frames)
    last = frames[-1].data[100, 62:118].astype(int)
    assert np.abs(last - PERSON).max() < 12, "nor does the person become room"


def test_the_clean_room_is_not_made_of_what_was_learned() -> None:
    stage = Stage(None, "plate", PerfectMatting(doubts=True))
    frames = stage.play(FAULTS["nothing"])
    assert {out.content for out in frames} == {Content.CARD}
    assert_no_room(frames)


def _nan(matte: Matte) -> Matte:
    return replace(matte, alpha=matte.alpha * np.nan, foreground=matte.foreground * np.nan)


def _of_another_frame(matte: Matte) -> Matte:
    return replace(matte, seq=matte.seq - 1)


@pytest.mark.parametrize("spoil", [_nan, _of_another_frame])
@pytest.mark.parametrize("fault", ["a bump", "a thing brought", "another view"])
def test_a_matte_that_fails_during_a_fault_is_the_card(fault: str, spoil: Callable[[Matte], Matte]) -> None:
    matting = PerfectMatting(lambda n, matte: spoil(matte) if n > 25 else matte, doubts=True)
    frames = Stage(Plate(photograph()), "blur:8", matting).play(FAULTS[fault])
    assert_no_room(frames)
    assert {out.content for out in frames[-20:]} == {Content.CARD}


@pytest.mark.parametrize("backdrop", ["color:#00ff00", "blur:8", "plate"])
def test_a_person_in_the_plate_is_not_shown_by_it(backdrop: str) -> None:
    """Somebody else's place in the photograph has the marker's color here: what was behind them is not known."""
    taken = photograph()
    taken[50:, 150:210] = PERSON
    frames = Stage(Plate(taken), backdrop, PerfectMatting(doubts=True)).play(FAULTS["a bump"])
    assert_no_room(frames)
    composites = [out for out in frames if out.content is Content.COMPOSITE]
    shown = [np.abs(out.data[60:, 160:200].astype(int) - PERSON).max(2).min() for out in composites[:EVENT]]
    assert backdrop == "color:#00ff00" or min(shown) > 12, "nobody in the backdrop either"


def test_viewers_see_nothing_of_a_bump_until_the_plate_has_followed() -> None:
    """The network alone, of which nothing is known, is not asked to be right where a plate was trusted."""
    stage = Stage(Plate(ROOM), "color:#00ff00", PerfectMatting(doubts=True))
    shown = {n: stage.show(FAULTS["a far bump"](n)) for n in range(40)}
    held = [n for n, out in shown.items() if out is None and n > 5]
    assert held == [EVENT, EVENT + 1], "the first may be broken; by the second one the plate is found"
    report = stage.processor.keeper.report
    assert report is not None
    assert report.moved == pytest.approx(np.hypot(60, 20), abs=2)


def test_a_single_broken_frame_moves_no_plate_and_a_bump_does_with_its_second() -> None:
    stage = Stage(Plate(photograph()), "color:#00ff00", PerfectMatting(doubts=True))
    stage.play(FAULTS["nothing"], 5)
    asked: list[float] = []
    tend = stage.processor.keeper.tend

    def note(*args: object, **options: object) -> None:
        asked.append(float(args[3]))  # type: ignore[arg-type]
        tend(*args, **options)  # type: ignore[arg-type]

    stage.processor.keeper.tend = note  # type: ignore[method-assign]
    gate = stage.processor.engine.gate
    confirm, broken = gate.confirm, {0.5, 0.7, 0.8}

    def hold(t: float) -> None:
        if round(t, 3) in broken:
            raise SuddenChange("much appeared at once")
        confirm(t)

    gate.confirm = hold  # type: ignore[method-assign]
    for _ in range(5):
        stage.show(ROOM)
    assert [round(t, 1) for t in asked] == [0.6, 0.8, 0.9]
