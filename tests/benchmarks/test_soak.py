"""The pipeline alone behind a camera from memory: its figures and its report. No time is judged."""

import json
import re
import time
from typing import Any

import pytest

from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.matting.bgmv2.weights import find_weights
from camdaemon.tools.bench.footage import load_footage
from camdaemon.tools.bench.runs import run_pipeline
from tests.benchmarks import machine, report, soak
from tests.benchmarks.footage import MemorySource, keep_in_memory
from tests.benchmarks.settings import Settings
from tests.benchmarks.soak import _MemoryWatch

SMALL = Settings(engine="torch", precision="float32", size=Size(128, 72), threads=1, scale=0.5, device="cpu")


def frames(count: int) -> list[HostFrame]:
    made = [HostFrame.empty(PixelFormat.RGB, Size(64, 64)) for _ in range(count)]
    for number, frame in enumerate(made):
        frame.data[:] = number
    return made


def test_kept_frames_come_again_and_again_as_copies():
    kept, into = MemorySource(frames(3), 60.0), HostFrame.empty(PixelFormat.RGB, Size(64, 64))
    seen = []
    for _ in range(7):
        kept.read(into)
        seen.append(int(into.data.max()))
        into.data[:] = 99
    assert seen == [0, 1, 2, 0, 1, 2, 0]
    assert (kept.fps, kept.size, kept.fmt) == (60.0, Size(64, 64), PixelFormat.RGB)


def test_footage_from_memory_is_what_it_keeps():
    footage = load_footage(SMALL.config(find_weights("published")), 2)
    source, into = keep_in_memory(footage).open(), HostFrame.empty(footage.frames[0].fmt, footage.frames[0].size)
    assert (source.fps, source.fmt, source.size) == (footage.fps, into.fmt, into.size)
    for number in range(4):
        source.read(into)
        assert (into.data == footage.frames[number % 2].data).all()


def test_every_frame_is_published_or_counted_as_dropped(monkeypatch):
    runs = []
    monkeypatch.setattr(soak, "run_pipeline", lambda *of, **how: runs.append(run_pipeline(*of, **how)) or runs[-1])
    found = soak.soak(SMALL, 2.0, 10.0)
    run = found["soak"]
    assert run["frames"] >= 20, "twenty were taken, and more may have gone by"
    assert run["period_ms"] == 100.0
    assert len(runs[0].seconds["latency"]) + run["dropped"] == run["frames"]
    assert run["ms"]["latency"]["p50"] > 0
    assert run["resident_mb"] > 50
    assert run["warm_resident_mb"] == 0, "two seconds are too few to be warm"
    assert json.loads(json.dumps(found, allow_nan=False))["soak"] == run
    said = " ".join(report.sentences(found))
    assert re.search(rf"\b{run['frames']} frames.* 100\.00 ms.* {run['dropped']} dropped", said)
    assert "after 20 s" not in said
    assert "ratio: " not in said
    assert not list(report.tables(found))


def test_memory_is_looked_at_once_it_is_warm(monkeypatch):
    now, ticks, held = [0.0], [], [100]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(machine, "resident_bytes", lambda: held[0])
    watched = _MemoryWatch(lambda: ticks.append(now[0]))
    for now[0], held[0] in ((3.0, 100), (19.0, 200), (21.0, 300), (60.0, 400)):
        watched.observe()
    assert watched.warm == 300
    assert len(ticks) == 60, "a tick for each second, also for those between two looks"


def test_the_report_has_the_growth_of_a_long_run():
    late = dict.fromkeys(("p50", "p95", "p99"), 8.0)
    run: dict[str, Any] = {
        "frames": 9,
        "period_ms": 16.0,
        "dropped": 0,
        "fps": 60.0,
        "cpu_percent": 50.0,
        "gpu_memory_mb": 700.0,
    }
    run |= {"ms": {"latency": late}, "resident_mb": 640.5, "warm_resident_mb": 640.0}
    said = " ".join(report._soak(run))
    for part in (r"8\.00 ms at p99 \(0\.50", r"640\.0 MB.* 20 s.* 640\.5 MB", r"GPU memory.* 700 MB"):
        assert re.search(part, said)


@pytest.mark.parametrize("fps", [None, 30.0])
def test_without_a_rate_it_is_the_sources(fps):
    found = soak.soak(SMALL, 1.0, fps)
    assert found["soak"]["period_ms"] == pytest.approx(1000 / 30, abs=0.01)
