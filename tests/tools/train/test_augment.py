"""Rooms with vivid things in them: in about the stated share, never out of range, the others untouched."""

import torch

from camdaemon.tools.train.augment import decorate_rooms
from camdaemon.tools.train.draws import BatchRandom

CPU = torch.device("cpu")
COUNT = 200


def _rooms() -> torch.Tensor:
    return torch.rand(COUNT, 3, 24, 40, generator=torch.Generator().manual_seed(2)) * 0.4 + 0.3


def test_about_a_third_of_the_rooms_change_and_all_stay_pictures() -> None:
    rooms = _rooms()
    found = decorate_rooms(BatchRandom(COUNT, 3, CPU), rooms)
    assert found.shape == rooms.shape
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    changed = (found != rooms).flatten(1).any(1).float().mean()
    assert 0.2 < float(changed) < 0.45  # 15 % colored, 20 % decorate_rooms, some of those with nothing in view


def test_some_walls_get_colors_that_no_photograph_of_a_room_has() -> None:
    rooms = _rooms()

    def vividness(pictures: torch.Tensor) -> torch.Tensor:
        return (pictures.amax(1) - pictures.amin(1)).flatten(1).amax(1)

    found = decorate_rooms(BatchRandom(COUNT, 3, CPU), rooms)
    assert float(vividness(rooms).max()) < 0.45
    assert int((vividness(found) > 0.9).sum()) >= COUNT // 20


def test_the_same_seed_decorates_alike() -> None:
    first, again, other = (decorate_rooms(BatchRandom(COUNT, seed, CPU), _rooms()) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
