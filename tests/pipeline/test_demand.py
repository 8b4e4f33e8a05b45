"""Reasons for the camera to run."""

import threading

from camdaemon.pipeline.state import CameraDemand


def test_reasons_are_counted() -> None:
    demand = CameraDemand()
    assert not demand.there
    demand.add("viewers")
    demand.add("viewers")
    demand.remove("viewers")
    assert demand.reasons() == ["viewers"]
    with demand.held("plate"):
        assert demand.reasons() == ["plate", "viewers"]
    demand.remove("viewers")
    assert not demand.there
    demand.remove("viewers")
    demand.add("viewers")
    assert demand.there, "one remove too many must not swallow the next reason"


def test_a_machine_that_sleeps_needs_no_camera() -> None:
    demand = CameraDemand("viewers")
    demand.sleep(True)
    assert demand.asleep
    assert not demand.there
    assert not demand.wait(0.01)
    demand.sleep(False)
    assert demand.there


def test_waiting_ends_with_the_first_reason() -> None:
    demand = CameraDemand()
    assert not demand.wait(0.01)
    threading.Timer(0.05, demand.add, ["panel"]).start()
    assert demand.wait(5)
