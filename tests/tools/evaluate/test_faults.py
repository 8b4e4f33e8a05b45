"""Faults of plates: each is of the size that it says, depends on its randomness alone, and changes nothing else."""

import itertools

import cv2
import numpy as np
import pytest

from camdaemon.frames.picture import Picture
from camdaemon.tools.evaluate import faults
from camdaemon.tools.evaluate.faults import FAULTS, GRAY, NOTHING_KNOWN, Others

HEIGHT, WIDTH = 144, 256
SHAPE = (HEIGHT, WIDTH)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def texture(seed: int) -> Picture:
    """A picture without two equal places, soft enough to be moved."""
    noise = rng(seed).integers(0, 256, (18, 32, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def plate() -> Picture:
    return texture(1)


def others() -> Others:
    alpha = np.zeros(SHAPE, np.float32)
    alpha[40:, 100:140] = 1
    alpha[40:, 140] = 0.5
    return Others(texture(2), np.rint(alpha[..., None] * (200, 30, 20)).astype(np.uint8), alpha)


def share(a: Picture, b: Picture) -> float:
    return float((a != b).any(2).mean())


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_depends_on_its_randomness_alone(name: str) -> None:
    kept = plate(), others()
    one, same = (FAULTS[name](*kept, rng(4)) for _ in range(2))
    assert one.rgb.shape == (HEIGHT, WIDTH, 3)
    assert one.rgb.dtype == np.uint8
    assert (one.rgb == same.rgb).all()
    if one.confidence is not None and same.confidence is not None:
        assert (one.confidence == same.confidence).all()
    assert (kept[0] == plate()).all()
    assert (kept[1].room == others().room).all()


def test_only_the_right_plate_is_right_and_only_unknown_parts_are_not_sure() -> None:
    for name, fault in FAULTS.items():
        found = fault(plate(), others(), rng())
        assert (share(found.rgb, plate()) == 0) is (name == "right plate"), name
        assert (found.confidence is not None) is (name in ("parts unknown", NOTHING_KNOWN)), name


@pytest.mark.parametrize("seed", range(6))
def test_pieces_of_another_room_have_their_size(seed: int) -> None:
    black, white = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    there = Others(white, others().person, others().alpha)
    regions = FAULTS["a third of another room"](black, there, rng(seed)).rgb
    assert (regions == 255).mean() == pytest.approx(1 / 3, abs=1e-9)
    piece = FAULTS["object gone"](black, there, rng(seed)).rgb
    assert (piece == 255).mean() == pytest.approx(0.05, abs=1e-4)
    count, _ = cv2.connectedComponents(np.ascontiguousarray(piece[..., 0]))
    assert count == 2  # one piece, and the rest


def test_pieces_differ_from_draw_to_draw() -> None:
    random = rng()
    drawn = [faults.draw_object(SHAPE, 0.05, random) for _ in range(4)]
    assert all((one != other).any() for one, other in itertools.pairwise(drawn))


def test_a_person_stands_in_the_plate() -> None:
    found = FAULTS["person in the plate"](plate(), others(), rng()).rgb
    assert (found[60, 120] == (200, 30, 20)).all()
    assert share(found, plate()) == pytest.approx((others().alpha > 0).mean(), abs=0.005)
    assert np.abs(found[60, 140] - (plate()[60, 140] / 2 + np.array([100, 15, 10]))).max() <= 1


def test_an_object_is_behind_the_person() -> None:
    alpha = others().alpha
    foreground = np.full((HEIGHT, WIDTH, 3), (200, 30, 20), np.uint8)
    frame = faults.lay_over(plate(), others().person, alpha)
    where = np.zeros(SHAPE, np.bool_)
    where[70:100, 90:160] = True
    found = faults.bring(frame, foreground, alpha, others().room, where)
    assert (found[~where] == frame[~where]).all()
    assert (found[where & (alpha == 1)] == (200, 30, 20)).all()
    assert (found[where & (alpha == 0)] == others().room[where & (alpha == 0)]).all()


@pytest.mark.parametrize(("name", "least", "most"), [("shifted by 40", 40, 40), ("shifted by 200-400", 200, 400)])
def test_a_shift_has_its_length(name: str, least: float, most: float) -> None:
    mark = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    mark[70:75, 126:131] = 255
    for seed in range(6):
        moved = FAULTS[name](mark, others(), rng(seed)).rgb[..., 0].astype(float)
        assert moved.sum() > 0
        y, x = (np.average(axis, weights=moved) for axis in np.mgrid[:HEIGHT, :WIDTH])
        length = np.hypot(y - 72, x - 128) * 720 / HEIGHT
        assert least - 3 <= length <= most + 3
        assert abs(x - 128) >= 1.7 * abs(y - 72) - 1  # mostly sideways


def test_turns_and_sizes() -> None:
    mark = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    mark[70:74, 200:204] = 255

    def place(picture: Picture) -> tuple[float, float]:
        y, x = (np.average(axis, weights=picture[..., 0].astype(float)) for axis in np.mgrid[:HEIGHT, :WIDTH])
        return y - (HEIGHT - 1) / 2, x - (WIDTH - 1) / 2

    for seed in range(6):
        y, x = place(FAULTS["turned by 2-5°"](mark, others(), rng(seed)).rgb)
        assert 1.9 <= np.degrees(np.arctan2(abs(y), x)) <= 5.1
        assert np.hypot(y, x) == pytest.approx(74, abs=0.5)
    for name, larger in (("5 % larger", 1.05), ("20 % larger", 1.2)):
        assert place(FAULTS[name](mark, others(), rng()).rgb)[1] == pytest.approx(74 * larger, abs=0.5)


def test_nothing_is_told_of_unknown_blocks() -> None:
    found = FAULTS["parts unknown"](plate(), others(), rng())
    assert found.confidence is not None
    assert found.confidence.shape == (HEIGHT // 16, WIDTH // 16)
    assert found.confidence.dtype == np.float32
    assert set(found.confidence.ravel()) == {0, 1}
    known = found.confidence.repeat(16, 0).repeat(16, 1) > 0
    assert (found.rgb[known] == plate()[known]).all()
    assert (found.rgb[~known] == GRAY).all()
    assert not known[others().alpha > 0].any()
    assert 0.1 < 1 - known.mean() < 0.7
    nothing = FAULTS[NOTHING_KNOWN](plate(), others(), rng())
    assert (nothing.rgb == GRAY).all()
    assert nothing.confidence is not None
    assert not nothing.confidence.any()


def test_blocks_cover_pictures_of_any_size() -> None:
    where = np.zeros((50, 70), np.bool_)
    where[49, 69] = True
    found = faults.hide(np.zeros((50, 70, 3), np.uint8), where)
    assert found.confidence is not None
    assert found.confidence.shape == (4, 5)
    assert found.confidence.sum() == 19
    assert (found.rgb == GRAY).all(2).sum() == 2 * 6
