"""Faults that nobody foresaw, and how many are too many."""

from camdaemon.pipeline.state import FaultLimit


def test_without_patience_the_first_fault_is_the_end() -> None:
    assert not FaultLimit().record()


def test_so_many_within_a_minute_and_more_over_hours() -> None:
    now = [0.0]
    fault_limit = FaultLimit(3, clock=lambda: now[0])
    assert [fault_limit.record() for _ in range(4)] == [True, True, True, False]
    now[0] = 3600.0
    for _ in range(10):
        assert fault_limit.record()
        now[0] += 30.0
