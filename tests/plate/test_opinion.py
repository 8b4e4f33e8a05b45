"""The second opinion: when the network is asked, and what it overrules."""

from __future__ import annotations

import numpy as np

from camdaemon.plate.opinion import SecondOpinion

SHAPE = (20, 30)


def blocks(*where: slice) -> np.ndarray:
    found = np.zeros(SHAPE, bool)
    found[where] = True
    return found


SUSPECTS = blocks(slice(4, 10), slice(20, 26))
EVERYTHING = np.ones(SHAPE, bool)


def test_it_is_asked_about_enough_blocks_and_not_all_the_time() -> None:
    opinion = SecondOpinion()
    assert not opinion.is_due(blocks(slice(0, 1), slice(0, 1)), 5.0)
    assert opinion.is_due(SUSPECTS, 5.0)
    opinion.record(EVERYTHING, 5.0)
    assert not opinion.is_due(SUSPECTS, 6.5)
    assert opinion.is_due(SUSPECTS, 7.5)
    assert opinion.is_due(SUSPECTS, 1.0), "a clip begins again"


def test_what_it_called_a_person_is_not_asked_about_for_a_while() -> None:
    opinion = SecondOpinion()
    opinion.record(~SUSPECTS, 5.0)
    assert not opinion.is_due(SUSPECTS, 8.0)
    assert opinion.is_due(SUSPECTS | blocks(slice(0, 3), slice(0, 3)), 8.0), "others are"
    assert opinion.is_due(SUSPECTS, 15.5)


def test_it_overrules_where_it_saw_the_room_away_from_the_person_and_not_below() -> None:
    opinion = SecondOpinion()
    assert not opinion.overrules(EVERYTHING).any(), "nothing was looked at yet"
    opinion.record(~blocks(slice(8, 14), slice(5, 12)), 1.0)
    overruled = opinion.overrules(EVERYTHING)
    assert overruled[:7].all()
    assert not overruled[7:, 4:13].any()
    assert np.array_equal(opinion.overrules(SUSPECTS), SUSPECTS)
    opinion.record(~SUSPECTS, 3.0)
    assert not opinion.overrules(SUSPECTS).any()
    opinion.record(EVERYTHING, 5.0)
    opinion.forget()
    assert not opinion.overrules(EVERYTHING).any()
