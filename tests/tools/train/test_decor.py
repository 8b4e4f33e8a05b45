"""Rooms with vivid things in them: in about the stated share, never out of range, the others untouched."""

import numpy as np
import pytest

from camdaemon.tools.train.samples import decor
from camdaemon.tools.train.samples.decor import decorate_room

COUNT = 200


def _rooms() -> np.ndarray:
    return np.random.default_rng(2).integers(76, 178, (COUNT, 24, 40, 3)).astype(np.uint8)


def _decorated(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([decorate_room(rng, room) for room in _rooms()])


def test_about_a_third_of_the_rooms_change_and_all_stay_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decor, "_SUNLIT", 0.0)
    found, rooms = _decorated(3), _rooms()
    assert found.shape == rooms.shape
    assert found.dtype == np.uint8
    changed = (found != rooms).any((1, 2, 3)).mean()
    assert 0.2 < changed < 0.45  # 15 % colored, 20 % decorated, some of those with nothing in view


def test_three_rooms_in_ten_are_lit_by_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decor, "_COLORED", 0.0)
    monkeypatch.setattr(decor, "_DECORATED", 0.0)
    found, rooms = _decorated(3), _rooms()
    assert found.dtype == np.uint8
    assert 0.15 < (found != rooms).any((1, 2, 3)).mean() < 0.45


def test_some_walls_get_colors_that_no_photograph_of_a_room_has() -> None:
    def vividness(pictures: np.ndarray) -> np.ndarray:
        return (pictures.max(3).astype(int) - pictures.min(3)).max((1, 2))

    assert vividness(_rooms()).max() < 115
    assert (vividness(_decorated(3)) > 230).sum() >= COUNT // 20


def test_the_same_seed_decorates_alike() -> None:
    first, again, other = (_decorated(seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
