"""Frames without a plate, or with one that is wrong: what a matting that doubts publishes of them. Painted pixels.

The matting here believes the plate as blindly as it is told to, and knows the truth where it is told nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from camdaemon.backdrop import make_backdrop
from camdaemon.frames import pixels
from camdaemon.frames.card import CardCache
from camdaemon.frames.frame import Content, HostFrame, PixelFormat
from camdaemon.frames.picture import CALM, Picture
from camdaemon.frames.transfer import HostTransfer
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.engine import Engine
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.preview import LivePreview
from camdaemon.pipeline.state import Scene
from camdaemon.pipeline.worker import FrameProcessor
from camdaemon.plate.gate import PlateGate
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from tests.fakes import BelievingMatting
from tests.plate.painted import EMPTY, SIZE, THERE, WAVING, alpha, film, other_room, plate

GREEN = (0, 255, 0)

pytestmark = pytest.mark.usefixtures("one_thread")


class Knowing(BelievingMatting):
    """Knows the true matte of the frame that comes next."""

    truth: Picture

    def _see(self, unit: Any) -> Any:
        return pixels.unit(pixels.as_planes(self.truth))

    def _see_alone(self, unit: Any) -> Any:
        return np.zeros_like(unit[:, :1])  # nobody is in a plate


class Stage:
    """A frame processor; `show` returns what is published of a frame."""

    def __init__(self, taken: Picture | None, *, backdrop: str = "color:#00ff00", needs_plate: bool = False) -> None:
        metrics, transfer = Metrics(), HostTransfer(SIZE)
        self.matting = Knowing()
        engine = Engine(
            transfer,
            self.matting,
            PlateMatcher(transfer.upload_picture, enabled=True),
            Compositor(transfer.upload_picture, metrics),
            gate=PlateGate(doubts=True, needs_plate=needs_plate),
        )
        self.processor = FrameProcessor(engine, CardCache(PixelFormat.RGB, SIZE), metrics, LivePreview())
        self._pool = transfer.pool(PixelFormat.RGB, SIZE)
        self._scene = Scene(make_backdrop(backdrop, SIZE), None if taken is None else Plate(taken))
        self._count = 0

    def show(self, index: int) -> HostFrame:
        frame, out = self._pool.acquire(), HostFrame.empty(PixelFormat.RGB, SIZE)
        frame.data[:], frame.seq, frame.t = film(index), self._count, self._count / 30
        self.matting.truth = alpha(index)
        self._count += 1
        with self.processor.engine.transfer.computing():
            self.processor.run(frame, self._pool, self._scene, out)
        return out


def leak(out: HostFrame, index: int, behind: tuple[int, int, int] = GREEN) -> float:
    """The share of the true room that is published."""
    shown = np.abs(out.data.astype(int) - behind).max(2) > 25
    return float(shown[alpha(index) < 5].mean())


@pytest.mark.parametrize(
    ("taken", "mattes"), [(plate, 3), (other_room, 4), (None, 3)], ids=["this room", "another room", "none"]
)
def test_only_the_person_is_published_from_the_first_frame_on(taken, mattes: int) -> None:
    stage = Stage(None if taken is None else taken())
    for index in (THERE, WAVING, EMPTY):
        out = stage.show(index)
        assert out.content is Content.COMPOSITE
        assert out.matte_seq == out.seq
        assert leak(out, index) < 0.05
    assert stage.matting.calls == mattes, "twice where the trust was lost, and once more in no other frame"


def test_where_a_plate_is_needed_another_rooms_is_the_card() -> None:
    stage = Stage(other_room(), needs_plate=True)
    out = stage.show(THERE)
    assert out.content is Content.CARD
    assert out.card is not None
    assert "camdaemon plate" in out.card.reason


def test_where_a_plate_is_needed_none_is_the_card() -> None:
    assert Stage(None, needs_plate=True).show(THERE).content is Content.CARD


def test_a_blurred_room_that_nobody_knows_is_a_calm_color() -> None:
    stage = Stage(None, backdrop="blur:24")
    out = stage.show(THERE)
    assert out.content is Content.COMPOSITE
    assert leak(out, THERE, CALM) < 0.05


def test_the_clean_room_needs_a_photograph() -> None:
    out = Stage(None, backdrop="plate").show(THERE)
    assert out.content is Content.CARD
    assert Stage(plate(), backdrop="plate").show(THERE).content is Content.COMPOSITE
