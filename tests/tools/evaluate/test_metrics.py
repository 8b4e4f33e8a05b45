"""Every figure against a plain, slow implementation of its definition, or a case worked by hand."""

import math
from collections import deque

import numpy as np
import pytest

from camdaemon.tools.evaluate import metrics

CROSS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


def alphas(seed: int, height: int = 24, width: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Two alike alphas with soft and hard parts."""
    rng = np.random.default_rng(seed)
    truth = np.clip(rng.normal(0.5, 0.8, (height, width)), 0, 1).astype(np.float32)
    return np.clip(truth + rng.normal(0, 0.2, truth.shape), 0, 1).astype(np.float32), truth


def plain_unknown(truth: np.ndarray) -> np.ndarray:
    region = (truth >= 0.06) & (truth <= 0.96)
    height, width = region.shape
    for combine in (any, all):
        for _ in range(10):
            region = np.array(
                [
                    [
                        combine(region[y + v, x + u] for v, u in CROSS if 0 <= y + v < height and 0 <= x + u < width)
                        for x in range(width)
                    ]
                    for y in range(height)
                ]
            )
    return region


def plain_gradient(alpha: np.ndarray, sigma: float = 1.4) -> np.ndarray:
    def bell(x: float) -> float:
        return math.exp(-(x**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))

    radius = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * 0.01)))
    steps = range(-radius, radius + 1)
    kernel = np.array([[bell(v) * -u * bell(u) / sigma**2 for u in steps] for v in steps])
    kernel /= math.sqrt((kernel**2).sum())
    padded = np.pad(alpha.astype(np.float64), radius, mode="edge")
    side = 2 * radius + 1
    found = np.empty(alpha.shape)
    for y, x in np.ndindex(*alpha.shape):
        window = padded[y : y + side, x : x + side]
        found[y, x] = math.hypot((window * kernel).sum(), (window * kernel.T).sum())
    return found


def largest_region(mask: np.ndarray) -> set[tuple[int, int]]:
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    best: set[tuple[int, int]] = set()
    while left:
        start = min(left)
        region, queue = {start}, deque([start])
        left.remove(start)
        while queue:
            y, x = queue.popleft()
            for near in ((y + v, x + u) for v, u in CROSS):
                if near in left:
                    left.remove(near)
                    region.add(near)
                    queue.append(near)
        best = max(best, region, key=len)
    return best


def plain_connectivity(alpha: np.ndarray, truth: np.ndarray) -> np.ndarray:
    thresholds = [np.float32(i * 0.1) for i in range(11)]
    regions = [largest_region((alpha >= t) & (truth >= t)) for t in thresholds]
    found = np.empty(truth.shape)
    for place in np.ndindex(*truth.shape):
        level = 0
        while level < 10 and place in regions[level + 1]:
            level += 1
        phi = [1 - d if (d := float(a[place]) - level * 0.1) >= 0.15 else 1 for a in (alpha, truth)]
        found[place] = abs(phi[0] - phi[1])
    return found


@pytest.mark.parametrize("seed", [0, 1])
def test_the_unknown_region_is_the_soft_pixels_closed(seed: int) -> None:
    truth = (np.random.default_rng(seed).random((30, 34)) > 0.02).astype(np.float32)
    truth[truth == 0] = 0.5
    assert (metrics.unknown_region(truth) == plain_unknown(truth)).all()


def test_the_unknown_region_by_hand() -> None:
    truth = np.zeros((60, 60), np.float32)
    truth[:, 40:] = 1
    truth[:, 15] = truth[:, 21] = 0.5  # two soft edges, with what lies between
    truth[30, 45] = 0.06  # alone it stays a single pixel
    truth[5, 45], truth[5, 46] = 0.05, 0.97
    region = metrics.unknown_region(truth)
    assert region[:, 15:22].all()
    assert region[30, 45]
    assert region.sum() == 60 * 7 + 1


@pytest.mark.parametrize("seed", [2, 3])
def test_gradient_errors(seed: int) -> None:
    alpha, truth = alphas(seed)
    expected = (plain_gradient(alpha) - plain_gradient(truth)) ** 2
    assert metrics.gradient_errors(alpha, truth) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seed", range(4, 9))
def test_connectivity_errors(seed: int) -> None:
    alpha, truth = alphas(seed)
    assert metrics.connectivity_errors(alpha, truth) == pytest.approx(plain_connectivity(alpha, truth), abs=1e-5)


def test_connectivity_by_hand() -> None:
    truth = np.ones((1, 5), np.float32)
    alpha = np.array([[1, 1, 1, 0.4, 1]], np.float32)
    # The last two fall off the region above 0.4: the fourth lacks 0.6 of its φ, the fifth is cut off in both alike.
    assert metrics.connectivity_errors(alpha, truth) == pytest.approx(np.array([[0, 0, 0, 0.6, 0]]), abs=1e-6)


def test_nothing_in_common_is_wholly_disconnected() -> None:
    alpha, truth = np.zeros((8, 8), np.float32), np.ones((8, 8), np.float32)
    assert metrics.connectivity_errors(alpha, truth) == pytest.approx(np.ones((8, 8)))


def test_sums_and_means_by_hand() -> None:
    truth = np.zeros((40, 50), np.float32)
    truth[:, 25:] = 1
    truth[20, 25] = 0.5
    alpha = truth.copy()
    alpha[20, 25], alpha[0, 0] = 0.9, 0.5
    found = metrics.score(alpha, truth)
    whole, unknown = found["whole"], found["unknown"]
    assert whole["SAD"] == pytest.approx(0.9 / 1000)
    assert whole["MAD"] == pytest.approx(1000 * 0.9 / 2000)
    assert whole["MSE"] == pytest.approx(1000 * (0.4**2 + 0.5**2) / 2000)
    assert unknown["SAD"] == pytest.approx(0.4 / 1000)
    assert unknown["MAD"] == pytest.approx(1000 * 0.4)
    assert unknown["MSE"] == pytest.approx(1000 * 0.4**2)
    assert whole["Grad"] == pytest.approx(metrics.gradient_errors(alpha, truth).sum() / 1000)
    assert unknown["Grad"] == pytest.approx(metrics.gradient_errors(alpha, truth)[20, 25] / 1000)
    assert unknown["Conn"] == pytest.approx(metrics.connectivity_errors(alpha, truth)[20, 25] / 1000)


def test_the_truth_itself_scores_nothing() -> None:
    _, truth = alphas(9)
    for figures in metrics.score(truth, truth).values():
        assert tuple(figures) == metrics.REGION_FIGURES
        assert set(figures.values()) == {0}


def test_without_soft_pixels_there_is_nothing_to_measure() -> None:
    found = metrics.score(np.zeros((20, 20), np.float32), np.zeros((20, 20), np.float32))
    assert all(math.isnan(value) for value in found["unknown"].values())
    assert found["whole"]["SAD"] == 0


def test_foreground_mse_counts_only_the_person() -> None:
    truth = np.array([[0, 0.01]], np.float32)
    found, true = np.array([[[255, 0, 0], [51, 0, 0]]], np.uint8), np.zeros((1, 2, 3), np.uint8)
    assert metrics.foreground_mse(found, true, truth) == pytest.approx(1000 * 0.2**2 / 3)
    assert math.isnan(metrics.foreground_mse(found, true, np.zeros((1, 2), np.float32)))


def test_dtssd_sees_flicker_and_not_movement() -> None:
    still, moved = np.zeros((2, 5), np.float32), np.zeros((2, 5), np.float32)
    moved[0, 0] = 1
    assert metrics.dtssd(moved, still, moved, still) == 0
    assert metrics.dtssd(still + 0.3, still, still, still) == pytest.approx(30)
    assert metrics.dtssd(moved, still, still, still) == pytest.approx(100 * math.sqrt(1 / 10))


def test_the_room_begins_twelve_pixels_of_720_from_the_person() -> None:
    for height, rim in ((720, 12), (360, 6), (90, 2)):
        truth = np.zeros((height, 60), np.float32)
        truth[:, 0] = 1 / 255  # the faintest person
        assert metrics.find_room(truth).sum(1).tolist() == [60 - rim] * height
    assert metrics.find_room(np.zeros((9, 16), np.float32)).all()
    assert not metrics.find_room(np.ones((9, 16), np.float32)).any()


def test_leaks_are_what_is_seen_of_the_room() -> None:
    alpha = np.array([[0, 0.1, 0.11, 1]], np.float32)
    room = np.array([[True, True, True, False]])
    assert metrics.find_leaks(alpha, room).tolist() == [[False, False, True, False]]
    assert metrics.leak(alpha, room) == pytest.approx(100 / 3)
    assert metrics.leak(alpha, np.ones((1, 4), np.bool_)) == 50
    assert math.isnan(metrics.leak(alpha, np.zeros((1, 4), np.bool_)))


def test_holes_are_in_the_solid_person() -> None:
    truth = np.array([[1, 1, 1, 0.995, 0.99, 0]], np.float32)
    alpha = np.array([[1, 0.7, 0.69, 0, 0, 0]], np.float32)
    assert metrics.holes(alpha, truth) == 50
    assert math.isnan(metrics.holes(alpha, truth * 0.9))
