"""The whole measurement, small: its figures, its plot and its report. No time is judged."""

import json

import pytest
import torch
from rich.console import Console

from camdaemon.capture.pattern import PatternSource
from camdaemon.frames.frame import Size
from tests.benchmarks import report
from tests.benchmarks.measure import measure
from tests.benchmarks.plot import draw_plot
from tests.benchmarks.settings import Settings

SMALL = Settings(
    engine="torch", precision="float32", size=Size(128, 72), frames=3, rounds=2, threads=1, scale=0.5, device="cpu"
)
STOPS = {"upload", "plate", "matte", "composite", "check", "download", "frame"}


@pytest.fixture(scope="module")
def found():
    return measure(SMALL)


def test_both_sides_at_every_stop_in_the_same_run(found):
    assert set(found["parts"]) == {"network", "stops", "end to end"}
    for name, part in found["parts"].items():
        for side in ("camdaemon", "baseline"):
            assert part[side]["fps"] > 0
            assert part[side]["cpu_percent"] >= 0
            assert part[side]["samples"] == SMALL.frames * SMALL.rounds, name
            for ms in part[side]["ms"].values():
                assert 0 <= ms["p50"] <= ms["p95"] <= ms["p99"]
        assert {"matte", "fps"} <= set(part["ratio"]) == set(part["ratio_range"])
        for stop, (low, high) in part["ratio_range"].items():
            assert low <= part["ratio"][stop] <= high
    stops = found["parts"]["stops"]
    assert set(stops["camdaemon"]["ms"]) >= STOPS
    assert set(stops["baseline"]["ms"]) >= STOPS
    whole = found["parts"]["end to end"]["camdaemon"]["ms"]
    assert {"capture", "write"} | STOPS - {"frame"} <= set(whole)
    assert "latency" not in whole, "frames that wait for each other have none"


def test_facts_beside_the_figures(found):
    assert found["subject"]["size"] == "128x72"
    assert (found["subject"]["precision"], found["machine"]["threads"]) == ("float32", 1)
    assert found["resident_mb"] > 50
    assert found["difference"]["mean"] < 0.5  # the percentile is held at a useful size, in test_plain
    floor = found["floor"]
    assert floor["refiner"] == 474_336 * floor["patches"]
    assert floor["peak_gmacs_per_s"] > 0
    assert floor["peak_gbytes_per_s"] > 0
    assert floor["ms"] > 0
    assert floor["share"] > 0
    assert json.loads(json.dumps(found, allow_nan=False))["parts"] == found["parts"]


def test_as_a_camera_there_is_a_latency():
    of = Settings(size=Size(64, 64), frames=4, rounds=1, threads=1, realtime=True, backbone="mobilenetv2", device="cpu")
    whole = measure(of)["parts"]["end to end"]
    for side in ("camdaemon", "baseline"):
        assert whole[side]["ms"]["latency"]["p50"] > 0
        assert whole[side]["dropped"] <= 2
    assert "latency" not in whole["ratio"]


def test_end_to_end_from_memory_reads_no_source(monkeypatch):
    of = Settings(
        size=Size(64, 64), frames=3, rounds=1, threads=1, from_memory=True, backbone="mobilenetv2", device="cpu"
    )
    drawn_ = []
    read = PatternSource.read
    monkeypatch.setattr(PatternSource, "read", lambda self, into: drawn_.append(1) or read(self, into))
    found = measure(of)
    assert len(drawn_) == 159, "the first one, 150 before the sixth second, and eight that are kept"
    assert found["parts"]["end to end"]["camdaemon"]["samples"] == 3


def test_tables_and_sentences_fit_a_terminal(found):
    console = Console(width=80)
    with console.capture() as capture:
        for table in report.tables(found):
            console.print(table)
    shown = capture.get()
    assert "End to end" in shown
    assert "…" not in shown
    said = " ".join(report.sentences(found))
    for part in ("GMAC", "resident", "/255", "floor: ", "ratio: "):
        assert part in said


def test_the_plot_has_a_bar_of_each_color_for_each_stop(found):
    picture = draw_plot(found)
    ours, baseline = ((picture == color).all(2) for color in ((31, 111, 139), (214, 178, 120)))
    stops = found["parts"]["stops"]["camdaemon"]["ms"]
    for number, stop in enumerate(stops):
        top = 96 + 56 * number
        assert ours[top : top + 18, 150:].any()
        assert baseline[top + 20 : top + 38, 150:].any() or stop not in found["parts"]["stops"]["baseline"]["ms"]
    lengths = [int(ours[96 + 56 * number + 9, 150:].sum()) for number in range(len(stops))]
    assert lengths[-1] == max(lengths), "the whole frame takes longest"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_on_a_gpu_memory_is_reported_and_half_precision_used():
    found = measure(Settings(size=Size(640, 360), frames=5, rounds=2, device="cuda"))
    assert found["subject"]["precision"] == "float16"
    assert found["parts"]["network"]["camdaemon"]["gpu_memory_mb"] > 1
    assert found["difference"]["mean"] < 0.5  # the percentile is held at a useful size, in test_plain
