"""The gate in the frame processor: another room's plate is the card, a bump is followed. Real pixels of the painter.

The backdrop is green, and nothing else in the pictures is: what is not green, outside the person, is a leak.
"""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.backdrop import make_backdrop
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content, HostFrame, PixelFormat
from camdaemon.frames.picture import Picture
from camdaemon.frames.transfer import HostTransfer
from camdaemon.matting import MattingSettings, make_matting
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.engine import Engine
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Scene
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.plate.gate import State
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from tests.plate.painted import EMPTY, SIZE, THERE, WAVING, alpha, film, lamp, moved, other_room, plate, tilted

pytestmark = pytest.mark.usefixtures("one_thread")


class Stage:
    """A frame processor with a plate in use; `show` returns what is published of a frame."""

    def __init__(self, matting: str, taken: Picture) -> None:
        metrics, transfer = Metrics(), HostTransfer(SIZE)
        made = make_matting(matting, MattingSettings("published", engine="torch", precision="float32"), "cpu")
        made.warm_up(SIZE)
        matcher = PlateMatcher(transfer.upload_picture, enabled=True)
        engine = Engine(transfer, made, matcher, Compositor(transfer.upload_picture, metrics))
        self.processor = FrameProcessor(engine, CardCache(PixelFormat.RGB, SIZE), metrics, LivePreview())
        self._pool = transfer.pool(PixelFormat.RGB, SIZE)
        self._scene = Scene(make_backdrop("color:#00ff00", SIZE), Plate(taken))
        self._count = 0

    def show(self, seen: Picture) -> HostFrame:
        frame, out = self._pool.acquire(), HostFrame.empty(PixelFormat.RGB, SIZE)
        frame.data[:], frame.seq, frame.t = seen, self._count, self._count / 30
        self._count += 1
        with self.processor.engine.transfer.computing():
            self.processor.run(frame, self._pool, self._scene, out)
            self.processor.tend()
        return out


def leak(out: HostFrame, matte: Picture) -> float:
    """The share of the true room that is published; a card has none."""
    if out.content is Content.CARD:
        return 0.0
    shown = np.abs(out.data.astype(int) - (0, 255, 0)).max(2) > 25
    return float(shown[matte < 5].mean())


@pytest.mark.parametrize("matting", ["difference", "bgmv2"])
def test_the_plate_of_this_room_shows_the_person_from_the_first_frame_on(matting: str) -> None:
    stage = Stage(matting, plate())
    for index in (THERE, WAVING, EMPTY):
        out = stage.show(film(index))
        assert out.content is Content.COMPOSITE
        assert leak(out, alpha(index)) < 0.05
    assert stage.processor.plate_health.state is State.FITS


@pytest.mark.parametrize("matting", ["difference", "bgmv2"])
def test_a_plate_that_does_not_fit_is_the_card_from_the_first_frame_on(matting: str) -> None:
    stage = Stage(matting, other_room())
    for index in (EMPTY, THERE, WAVING):
        out = stage.show(film(index))
        assert out.content is Content.CARD
        assert out.card is not None
        assert "plate" in out.card.reason
        assert "camdaemon plate" in out.card.reason
        assert "plate" not in out.card.title + out.card.hint, "viewers are not told"
    assert stage.processor.plate_health.state is State.REFUSED


def test_a_lid_that_was_turned_far_is_the_card_until_the_plate_has_followed() -> None:
    stage = Stage("bgmv2", plate())
    first, *later = (stage.show(tilted(film(index))) for index in (EMPTY, THERE, WAVING))
    assert first.content is Content.CARD
    assert first.card is not None
    assert "plate" in first.card.reason
    for out, index in zip(later, (THERE, WAVING), strict=True):
        assert out.content is Content.COMPOSITE
        assert leak(out, tilted(alpha(index))) < 0.05


@pytest.mark.parametrize("by", [(10, 4), (60, 0)])
def test_a_bump_is_followed_before_the_next_frame(by: tuple[int, int]) -> None:
    stage = Stage("bgmv2", plate())
    stage.show(film(THERE))
    seen = [stage.show(moved(film(THERE), *by)) for _ in range(3)]
    assert [out.content for out in seen[1:]] == [Content.COMPOSITE] * 2
    assert all(leak(out, moved(alpha(THERE), *by)) < 0.05 for out in seen)
    assert stage.processor.keeper.report is not None
    assert stage.processor.keeper.report.moved == pytest.approx(np.hypot(*by), abs=1.5)


def test_a_lamp_that_goes_on_shows_no_card() -> None:
    stage = Stage("bgmv2", plate())
    for n in range(4):
        seen = lamp(film(THERE)) if n % 2 else film(THERE)
        out = stage.show(seen)
        assert out.content is Content.COMPOSITE
        assert leak(out, alpha(THERE)) < 0.05


def test_the_moment_the_room_is_the_one_of_the_plate_again_the_person_is_back() -> None:
    stage = Stage("bgmv2", plate())
    shown = [stage.show(seen).content for seen in (film(THERE), tilted(film(THERE)), film(THERE))]
    assert shown == [Content.COMPOSITE, Content.CARD, Content.COMPOSITE]


def test_what_was_brought_into_the_room_disappears_once_it_stands_still() -> None:
    """A poster in the upper corner: the network calls it the person, three seconds long."""
    stage, seen, place = Stage("bgmv2", plate()), film(THERE), (slice(0, 64), slice(0, 80))
    seen[place] = 255 - plate()[place]
    shown = [float((np.abs(stage.show(seen).data[place].astype(int) - (0, 255, 0)).max(2) > 25).mean())]
    shown += [
        float((np.abs(stage.show(seen).data[place].astype(int) - (0, 255, 0)).max(2) > 25).mean()) for _ in range(95)
    ]
    assert shown[0] > 0.5
    assert shown[-1] == 0
