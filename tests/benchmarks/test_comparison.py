"""Ratios are of neighbors in the same run; no test waits for a clock."""

import re
import time
from typing import Any

import pytest

from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.linux.threads import count_compute_threads
from camdaemon.tools.bench.runs import pop_gpu_memory
from camdaemon.tools.bench.stopwatch import Run, Stopwatch, quantile
from tests.benchmarks import machine
from tests.benchmarks.comparison import Comparison, alternate


def _run(seconds: float, fps: float = 1.0, **more: float) -> Run:
    return Run({"matte": [seconds] * 3} | {name: [value] for name, value in more.items()}, fps, 100.0)


def test_the_two_alternate():
    order, ticks = [], []

    def side(name: str):
        return lambda: order.append(name) or _run(1.0)

    done = alternate(side("camdaemon"), side("baseline"), 3, lambda: ticks.append(1))
    assert order == ["baseline", "camdaemon"] * 3
    assert len(ticks) == 6
    assert len(done.camdaemon) == len(done.baseline) == 3


def test_a_ratio_is_of_the_same_round():
    """The machine slows down to a tenth for the second round: no ratio notices."""
    done = Comparison([_run(0.1, 10), _run(1.0, 1), _run(0.1, 10)], [_run(0.3, 4), _run(3.0, 0.4), _run(0.2, 5)])
    assert done.ratios()["matte"] == pytest.approx([3, 3, 2])
    summary: dict[str, Any] = done.summary()
    assert summary["ratio"]["matte"] == 3
    assert summary["ratio_range"]["matte"] == [2, 3]
    assert summary["ratio"]["fps"] == pytest.approx(2.5)
    assert summary["camdaemon"]["fps"] == 10
    assert summary["camdaemon"]["ms"]["matte"]["p50"] == pytest.approx(100)
    assert summary["camdaemon"]["ms"]["matte"]["p99"] == pytest.approx(1000)
    assert summary["camdaemon"]["samples"] == 9


def test_no_ratio_where_both_do_the_same_or_one_does_nothing():
    done = Comparison([_run(1, capture=1.0, fused=1.0)], [_run(2, capture=2.0, upload=1.0)])
    assert set(done.ratios()) == {"matte", "fps"}


def test_quantiles():
    values = [float(value) for value in range(100, 0, -1)]
    assert (quantile(values, 0.5), quantile(values, 0.95), quantile(values, 0.99)) == (51, 96, 100)
    assert quantile([7.0], 0.99) == 7


def test_the_stopwatch_keeps_every_sample_and_gives_it_once():
    settled = []
    watch = Stopwatch(paced=True, settle=lambda: settled.append(1))
    for _ in range(400):  # more than `Metrics` keeps
        with watch.step("matte"):
            pass
    frame = HostFrame.empty(PixelFormat.I420, Size(64, 64))
    frame.content, frame.t = Content.COMPOSITE, time.monotonic() - 1
    watch.record_published(frame)
    seconds, moments = watch.take()
    assert len(seconds["matte"]) == len(settled) == 400
    assert 1 <= seconds["latency"][0] < 30
    assert len(moments) == 1
    assert watch.get_count("published_composite") == 1
    assert watch.get_count("dropped") == 0
    assert watch.take() == ({}, [])


def test_threads_are_given_back():
    import torch

    before, own = torch.get_num_threads(), count_compute_threads()
    with machine.use_threads(1) as count:
        assert count == torch.get_num_threads() == count_compute_threads() == 1
    with machine.use_threads(None) as count:
        assert count == torch.get_num_threads() == count_compute_threads() == own
    assert (torch.get_num_threads(), count_compute_threads()) == (before, own)


def test_the_machine_describes_itself():
    facts: dict[str, Any] = machine.describe("cpu", 2)
    assert facts["cpu"]
    assert facts["cores"] >= 1
    assert (facts["device"], facts["gpu"], facts["threads"]) == ("cpu", None, 2)
    assert machine.resident_bytes() > 20 * 2**20
    assert pop_gpu_memory("cpu") == 0


def test_a_busy_machine_gives_a_warning(monkeypatch):
    monkeypatch.setattr(machine, "_OBSERVED_S", 0)
    working, everything = machine._read_ticks()
    assert 0 < working < everything
    for used, said in ((10, ""), (60, "programs.*60%")):
        ticks = iter([(1000, 5000), (1000 + used, 5100)])
        monkeypatch.setattr(machine, "_read_ticks", lambda ticks=ticks: next(ticks))
        found = machine.warn_if_busy()
        assert re.match(f".*{said}", found)
        assert bool(found) == bool(said)
