"""Unexpected exceptions, and how many are too many."""

from camdaemon.pipeline.state import FaultLimit


def is_exceeded_after_one_more(limit: FaultLimit) -> bool:
    limit.record()
    return limit.is_exceeded


def test_by_default_the_first_fault_is_one_too_many() -> None:
    limit = FaultLimit()
    assert not limit.is_exceeded
    assert is_exceeded_after_one_more(limit)


def test_so_many_within_a_minute_and_more_over_hours() -> None:
    now = [0.0]
    limit = FaultLimit(3, clock=lambda: now[0])
    assert [is_exceeded_after_one_more(limit) for _ in range(4)] == [False, False, False, True]
    now[0] = 3600.0
    for _ in range(10):
        assert not is_exceeded_after_one_more(limit)
        now[0] += 30.0


def test_asking_counts_nothing() -> None:
    limit = FaultLimit(1)
    limit.record()
    assert not any(limit.is_exceeded for _ in range(5))
