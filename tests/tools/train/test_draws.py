"""Unequal sets are gone through side by side, each completely."""

from camdaemon.tools.train.draws import ShuffledOrder


def test_each_round_holds_everything_once_in_a_new_order() -> None:
    rotation = ShuffledOrder(7, seed=3)
    rounds = [rotation.take(7 * turn, 7) for turn in range(3)]
    assert all(sorted(numbers) == list(range(7)) for numbers in rounds)
    assert rounds[0] != rounds[1] != rounds[2]


def test_any_position_can_be_taken_up_again() -> None:
    whole = ShuffledOrder(5, seed=1).take(0, 23)
    assert ShuffledOrder(5, seed=1).take(9, 14) == whole[9:]
    assert ShuffledOrder(5, seed=2).take(0, 23) != whole


def test_unequal_sets_meet_in_changing_pairs() -> None:
    people, rooms = ShuffledOrder(3, seed=1), ShuffledOrder(4, seed=2)
    pairs = set(zip(people.take(0, 60), rooms.take(0, 60), strict=True))
    assert len(pairs) == 12
