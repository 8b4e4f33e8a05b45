"""How the disagreement between what is said and what is published is counted."""

import pytest

from tests.benchmarks.truth import Word, longest_disagreement

# A frame every half second: the person, from 2 s on the card, from 4 s on the person again.
PUBLISHED = [Word(n / 2, "card" if 2 <= n / 2 < 4 else "live") for n in range(13)]


@pytest.mark.parametrize(
    ("said", "good_for_s", "seconds"),
    [
        ([Word(0.1, "live"), Word(1.9, "live")], 0.0, 0.0),
        ([Word(2.4, "live"), Word(9.9, "live")], 0.0, 0.4),  # an answer that is late by 0.4 s
        ([Word(1.5, "live"), Word(2.3, "card")], 1.0, 0.3),  # held until the next one came
        ([Word(1.5, "live"), Word(9.9, "card")], 1.0, 0.5),  # held until the page said that it knew nothing
        ([Word(1.2, "card"), Word(9.9, "card")], 0.0, 1.2),
        ([Word(2.4, "unsteady"), Word(9.9, "live")], 1.0, 0.0),
        ([Word(3.9, "live"), Word(9.9, "live")], 1.0, 2.0),  # wrong since 2 s, until the next frame at 4 s
    ],
)
def test_for_how_long_it_was_not_so(said: list[Word], good_for_s: float, seconds: float) -> None:
    assert longest_disagreement(PUBLISHED, said, good_for_s) == pytest.approx(seconds)
