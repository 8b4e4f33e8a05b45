"""What the errors share."""

from camdaemon.errors import did_you_mean, find_closest


def test_a_slip_is_answered_with_the_closest_choice():
    assert find_closest("exposre", ["exposure", "focus"]) == "exposure"
    assert did_you_mean("exposre", {"exposure": 1, "focus": 2}) == "did you mean exposure?"


def test_a_word_that_is_near_nothing_gets_no_guess():
    assert find_closest("zoom", ["exposure", "focus"]) is None
    assert did_you_mean("zoom", []) == ""
