"""Plates that are wrong or unknown, as a network is taught to expect them."""

from collections.abc import Callable

import numpy as np
import pytest

from camdaemon.tools.train.samples import decor, faults
from camdaemon.tools.train.samples.faults import (
    KINDS,
    Source,
    draw_kind,
    give_plate,
    notice,
    photograph,
    soften_confidence,
)
from camdaemon.tools.train.samples.loader import SampleGenerator
from camdaemon.tools.train.samples.scene import Cast
from camdaemon.tools.train.samples.things import add_things, play_screens, stir, thing_cover

FRAME = 72, 128


def _rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def source(generator_of: Callable[..., SampleGenerator], monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(decor, "_SUNLIT", 0.0)  # sharp shapes, of which a nudge of the camera changes more
    maker, cast = generator_of()._maker, Cast(0, 1, 2, 4)
    return photograph(_rng(), maker, maker.make(_rng(), cast, FRAME), cast)


def _change(one: np.ndarray, other: np.ndarray) -> float:
    """Share of pixels that differ clearly."""
    return float((np.abs(one.astype(int) - other).max(2) > 20).mean())


def test_kinds_come_in_their_shares() -> None:
    rng = _rng()
    drawn = [draw_kind(rng) for _ in range(4000)]
    assert sum(KINDS.values()) == pytest.approx(1)
    for kind, share in KINDS.items():
        assert drawn.count(kind) / len(drawn) == pytest.approx(share, abs=0.03)


def test_the_right_plate_is_the_room_and_certain(source: Source) -> None:
    plate, confidence = give_plate(_rng(), source, "right")
    assert plate is source.still
    assert confidence.min() == 1
    assert _change(plate, source.scene.room) < 0.05


def test_without_a_plate_nothing_is_known(source: Source) -> None:
    assert give_plate(_rng(), source, "none").confidence.max() == 0


def test_parts_are_unknown_and_parts_are_known(source: Source) -> None:
    rng = _rng()
    shares = [float(give_plate(rng, source, "parts").confidence.mean()) for _ in range(60)]
    assert min(shares) < 0.6
    assert max(shares) > 0.9
    assert 0.4 < np.mean(shares) < 0.95


def test_most_wrong_plates_are_given_as_certain(source: Source) -> None:
    rng = _rng()
    given = [give_plate(rng, source, "wrong") for _ in range(80)]
    certain = np.mean([each.confidence.min() == 1 for each in given])
    assert 0.6 < certain < 0.95
    assert np.mean([_change(each.plate, source.still) > 0.01 for each in given]) > 0.8


@pytest.mark.parametrize("fault", [each.spoil for each in faults._WRONG])
def test_every_fault_changes_the_plate_and_stays_a_picture(source: Source, fault) -> None:
    rng = _rng()
    plates = [fault(rng, source) for _ in range(10)]
    for plate in plates:
        assert plate.shape == (*FRAME, 3)
        assert plate.dtype == np.uint8
    assert max(_change(plate, source.still) for plate in plates) > 0.01


def test_shares_of_the_faults_are_whole() -> None:
    assert sum(each.share for each in faults._WRONG) == pytest.approx(1)


def test_what_is_noticed_loses_its_confidence_and_the_person_does_not_count() -> None:
    room = np.full((*FRAME, 3), 100, np.uint8)
    plate, alpha = room.copy(), np.zeros(FRAME, np.float32)
    plate[20:40, 10:30] = 200
    plate[20:40, 90:110] = 200
    alpha[:, 80:] = 1
    confidence = notice(plate, room, alpha)
    assert confidence[22:38, 12:28].max() < 0.1
    assert confidence[:, 80:].min() > 0.9
    assert confidence[50:].min() == 1


def test_confidence_is_softened_in_blocks_and_never_invented() -> None:
    rng, half = _rng(), np.zeros(FRAME, np.float32)
    half[:, 64:] = 1
    for _ in range(20):
        found = soften_confidence(rng, half)
        assert found[:, :56].max() == 0
        assert found[:, 72:].min() >= 0.49


def test_things_are_in_the_room_and_of_some_size() -> None:
    rng, room = _rng(), np.full((*FRAME, 3), 128, np.uint8)
    covers = [thing_cover(rng, FRAME).mean() for _ in range(50)]
    assert 0.005 < np.mean(covers) < 0.4
    other = rng.integers(0, 256, (90, 160, 3)).astype(np.uint8)
    assert 0.01 < np.mean([_change(add_things(rng, room, other), room) for _ in range(20)]) < 0.7
    assert np.mean([_change(play_screens(rng, room, other), room) for _ in range(20)]) > 0.02
    assert stir(rng, other[:72, :128]).shape == (*FRAME, 3)
