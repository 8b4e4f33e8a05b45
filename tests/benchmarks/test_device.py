"""The GPU's own time: what counts, and that "not known" is never a figure."""

from types import SimpleNamespace

import pytest
import torch
from torch.autograd import DeviceType  # type: ignore[attr-defined]

from tests.benchmarks import device, report


def event(us: float, where: DeviceType):
    return SimpleNamespace(device_type=where, time_range=SimpleNamespace(elapsed_us=lambda: us))


def test_what_ran_on_the_gpu_counts_and_what_waited_for_it_does_not():
    events = [event(400, DeviceType.CUDA), event(9000, DeviceType.CPU), event(100, DeviceType.CUDA)]
    assert device.busy_s(events) == pytest.approx(500e-6)
    assert device.busy_s([]) == 0


def test_ratios_are_of_neighbors_and_times_for_one_frame(monkeypatch):
    taken = iter([0.080, 0.010, 0.060, 0.012, 0.080, 0.020])  # baseline, camdaemon, baseline, …
    monkeypatch.setattr(device, "profile_gpu", lambda work: next(taken))
    found = device.compare(lambda: None, lambda: None, frames=10, rounds=3)
    assert found == {"camdaemon_ms": 1.2, "baseline_ms": 8.0, "ratio": 5.0, "ratio_range": [4.0, 8.0]}
    assert "1.200 ms per frame" in report._device(found)
    assert "5.00× (4.00–8.00)" in report._device(found)


def test_a_gpu_that_tells_nothing_is_not_infinitely_fast(monkeypatch):
    monkeypatch.setattr(device, "profile_gpu", lambda work: 0.0)
    found = device.compare(lambda: None, lambda: None, frames=10, rounds=2)
    assert found["ratio"] is None
    assert "not known" in report._device(found)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_a_real_kernel_takes_time():
    x = torch.rand(2048, 2048, device="cuda")
    one = device.profile_gpu(lambda: x @ x)
    four = device.profile_gpu(lambda: [x @ x for _ in range(4)])
    assert 0 < 2 * one < four
