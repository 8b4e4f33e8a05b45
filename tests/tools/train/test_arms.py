"""Raised arms: beside the person and in their colors, foreground as they are, repeatable, in some samples only."""

import cv2
import numpy as np
import pytest

from camdaemon.tools.train.samples import arms
from camdaemon.tools.train.samples.arms import raise_arms
from camdaemon.tools.train.samples.limbs import Look, Part, draw_hand, paint_parts, point_up
from camdaemon.tools.train.samples.scene import compose

FRAME = 144, 256
SKIN, SHIRT = (205, 150, 120), (30, 60, 160)


def _person() -> tuple[np.ndarray, np.ndarray]:
    """A round head on wide shoulders."""
    color, alpha = np.full((*FRAME, 3), SHIRT, np.uint8), np.zeros(FRAME, np.float32)
    cv2.circle(alpha, (128, 60), 18, 1.0, -1)
    color[:80] = SKIN
    cv2.rectangle(alpha, (92, 80), (164, 144), 1.0, -1)
    return color, cv2.GaussianBlur(alpha, (3, 3), 0)


def _raised(count: int = 40) -> list[tuple[np.ndarray, np.ndarray]]:
    color, alpha = _person()
    made = [raise_arms(np.random.default_rng(seed), color, alpha) for seed in range(count)]
    return [each for each in made if each[1] is not alpha]


@pytest.fixture
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "_WITH_ARMS", 1.0)


@pytest.mark.usefixtures("_always")
def test_arms_only_add_to_the_person_and_lie_beside_them():
    color, alpha = _person()
    raised = _raised()
    assert len(raised) > 30
    for painted, whole in raised:
        assert painted.dtype == np.uint8
        assert whole.dtype == np.float32
        assert whole.max() <= 1
        assert (whole >= alpha - 1e-6).all()
        more = whole - alpha
        assert (more[alpha < 0.01] > 0.9).sum() > 60  # solid, beside the person
        assert (more[alpha < 0.01] > 0.9).mean() < 0.4
        assert np.array_equal(painted[(whole == alpha) & (alpha == 0)], color[(whole == alpha) & (alpha == 0)])


@pytest.mark.usefixtures("_always")
def test_arms_have_the_colors_of_face_and_clothes():
    _, alpha = _person()
    kinds = np.zeros(2)
    for painted, whole in _raised():
        limb = painted[(whole > 0.95) & (alpha < 0.01)].astype(float)
        hue = limb / limb.sum(1, keepdims=True)
        known = np.array([SKIN, SHIRT]) / np.sum([SKIN, SHIRT], 1, keepdims=True)
        away = np.abs(hue[:, None] - known).max(2)
        assert (away.min(1) < 0.06).mean() > 0.8  # but where sleeve and hand meet
        kinds += np.bincount(away.argmin(1), minlength=2)
    assert (kinds > 0.2 * kinds.sum()).all()


def test_a_fifth_of_the_people_raise_arms_and_the_same_seed_raises_the_same():
    color, alpha = _person()
    seeds = range(400)
    changed = [raise_arms(np.random.default_rng(seed), color, alpha)[1] is not alpha for seed in seeds]
    assert np.mean(changed) == pytest.approx(arms._WITH_ARMS, abs=0.06)
    seed = changed.index(True)
    one, same = (np.dstack(raise_arms(np.random.default_rng(seed), color, alpha)) for _ in range(2))
    assert np.array_equal(one, same)


@pytest.mark.usefixtures("_always")
@pytest.mark.parametrize("behind", [False, True])
def test_an_arm_is_composited_as_paint_is(behind: bool):
    color, alpha = _person()
    arm = np.zeros((*FRAME, 4), np.float32)
    arm[60:120, 100:240] = 0.5 * np.array([200, 100, 40, 255], np.float32)
    painted, whole = arms._add(arm, color, alpha, behind=behind)
    black, straight = np.zeros_like(color), np.full_like(color, (200, 100, 40))
    below, above = compose(color, alpha, black), compose(straight, np.float32(1 / 255) * arm[:, :, 3], black)
    cover = arm[:, :, 3] / 255
    if behind:
        below, above, cover = above, below, alpha
    expected = above + (1 - cover[:, :, None]) * below
    assert np.abs(painted * whole[:, :, None] - expected).max() < 2


@pytest.mark.usefixtures("_always")
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_nobody_and_a_person_who_fills_the_frame_stay_as_they_are(level: float):
    color, alpha = np.zeros((*FRAME, 3), np.uint8), np.full(FRAME, level, np.float32)
    for seed in range(5):
        assert raise_arms(np.random.default_rng(seed), color, alpha)[1] is alpha


def test_limbs_are_cut_at_the_frame_and_cuffs_are_straight():
    plain = np.full((*FRAME, 3), 100, np.float32)
    look = Look(plain, plain, 0j, 1.0)
    arm = Part(-50 + 72j, 100 + 72j, 10, 10)
    bare, dressed = (paint_parts([each], look, FRAME)[:, :, 3] / 255 for each in (arm, arm.sleeve(1, 0)))
    assert bare[72, :108].min() == 1  # its end is round
    assert bare[64, 107] == 0
    assert dressed[65:79, :99].min() == 1
    assert dressed[:, 101:].max() == 0
    assert paint_parts([Part(-90 + 0j, -80 + 9j, 5, 5)], look, FRAME).max() == 0


def test_a_hand_points_where_it_is_told():
    for seed in range(20):
        heading = point_up(0.7, -1)
        parts = draw_hand(np.random.default_rng(seed), 100 + 100j, heading, 2.0)
        assert 4 <= len(parts) <= 6
        ends = np.array([part.end - (100 + 100j) for part in parts])
        assert ((ends * heading.conjugate()).real > 0).all()
        assert np.abs(ends).max() < 45
