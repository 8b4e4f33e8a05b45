"""The figures that people judge the daemon by, with a clock of our own."""

import pytest

from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.pipeline.metrics import Metrics


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock) -> Metrics:
    return Metrics(clock)


def frame(content: Content, t: float) -> HostFrame:
    made = HostFrame.empty(PixelFormat.I420, Size(64, 64))
    made.content, made.t = content, t
    return made


def test_nothing_has_happened_yet(metrics):
    assert metrics.snapshot() == {"fps_in": 0.0, "fps_out": 0.0, "counts": {}, "steps_ms": {}, "latency_ms": None}
    assert metrics.captured() == 0


@pytest.mark.parametrize("fps", [1.0, 25.0, 60.0])
def test_the_rate_is_frames_per_second_of_the_last_seconds(metrics, clock, fps):
    for _ in range(int(10 * fps)):
        metrics.record_captured()
        clock.now += 1 / fps
    assert metrics.snapshot()["fps_in"] == pytest.approx(fps, abs=0.1)
    assert metrics.snapshot()["fps_out"] == 0.0
    assert metrics.captured() == int(10 * fps)


def test_a_camera_that_slows_down_shows_its_new_rate(metrics, clock):
    for step in [1 / 30] * 90 + [1 / 10] * 40:
        clock.now += step
        metrics.record_captured()
    assert metrics.snapshot()["fps_in"] == pytest.approx(10.0, abs=0.1)


def test_a_camera_that_stopped_has_no_rate(metrics, clock):
    for _ in range(90):
        clock.now += 1 / 30
        metrics.record_captured()
    clock.now += 3.5
    assert metrics.snapshot()["fps_in"] == 0.0


def test_latency_is_of_what_the_camera_saw_never_of_cards(metrics, clock):
    for late in range(1, 101):
        metrics.record_published(frame(Content.COMPOSITE, clock.now - late / 1000))
        metrics.record_published(frame(Content.CARD, clock.now - 50.0))
        clock.now += 1 / 30
    found = metrics.snapshot()
    assert found["latency_ms"]["p50"] == pytest.approx(50, abs=1.5)
    assert found["latency_ms"]["p99"] == pytest.approx(99, abs=1.5)
    assert found["counts"] == {"published_composite": 100, "published_card": 100}
    assert found["fps_out"] == pytest.approx(60, abs=1)


def test_only_cards_is_no_latency_at_all(metrics, clock):
    metrics.record_published(frame(Content.CARD, clock.now - 1))
    assert metrics.snapshot()["latency_ms"] is None
    clock.now += 0.1
    metrics.record_published(frame(Content.ROOM, clock.now - 0.25))
    assert metrics.snapshot()["latency_ms"] == {"p50": 250.0, "p99": 250.0}


def test_the_latency_of_long_ago_is_forgotten(metrics, clock):
    for late in [5.0] * 300 + [0.02] * 300:
        clock.now += 1 / 60
        metrics.record_published(frame(Content.COMPOSITE, clock.now - late))
    assert metrics.snapshot()["latency_ms"] == {"p50": 20.0, "p99": 20.0}


def test_a_step_shows_its_median_so_that_one_hiccup_does_not_hide_the_rest(metrics, clock):
    for took in [0.004, 0.005, 0.006, 0.005, 3.0]:
        with metrics.step("matte"):
            clock.now += took
    assert metrics.snapshot()["steps_ms"] == {"matte": 5.0}


def test_a_failing_step_passes_its_exception_on(metrics):
    with pytest.raises(ZeroDivisionError), metrics.step("matte"):
        raise ZeroDivisionError
    assert metrics.snapshot()["steps_ms"].get("matte", 0.0) == 0.0


def test_events_are_counted_and_a_snapshot_does_not_move_afterwards(metrics):
    metrics.count("dropped")
    before = metrics.snapshot()
    metrics.count("dropped")
    assert before["counts"] == {"dropped": 1}
    assert metrics.snapshot()["counts"] == {"dropped": 2}
