"""The pauses between tries, by a clock of the test's own."""

import pytest

from camdaemon.linux.backoff import Backoff


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_pause_doubles_with_each_failure_up_to_the_longest(clock):
    backoff = Backoff(clock=clock)
    pauses = [backoff.pause_s]
    for _ in range(5):
        backoff.increase()
        pauses.append(backoff.pause_s)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.restart()
    assert backoff.pause_s == 0.5


def test_a_try_is_due_when_the_pause_is_over(clock):
    backoff = Backoff(0.5, 5.0, clock)
    assert not backoff.is_due()
    clock.now += 0.5
    assert backoff.is_due()
    assert backoff.is_due(), "to ask changes nothing"
    backoff.increase()
    clock.now += 0.75
    assert not backoff.is_due()
    clock.now += 0.25
    assert backoff.is_due()


def test_a_restart_counts_from_now(clock):
    backoff = Backoff(0.5, 5.0, clock)
    backoff.increase()
    clock.now += 60
    backoff.restart()
    assert not backoff.is_due()
    clock.now += 0.5
    assert backoff.is_due()
