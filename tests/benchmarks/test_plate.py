"""What looking after the plate costs: its figures and its report. No time is judged."""

import json

import pytest

from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from tests.benchmarks import report
from tests.benchmarks.plate import measure_plate
from tests.benchmarks.settings import Settings

SMALL = Settings(
    weights="slim", engine="torch", precision="float32", size=Size(320, 180), threads=1, frames=60, rounds=1
)


def test_a_plate_grows_and_movements_are_found():
    found = measure_plate(SMALL)
    fits, grows = found["plate"].values()
    assert fits["known_percent"] == 100
    assert grows["known_percent"] > 20, "two seconds of an empty wall"
    assert 0 < fits["tend_ms"] <= fits["longest_ms"]
    for name, run in found["movements"].items():
        assert run["fit"] > max(0.8, run["fit_before"]), name
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    said = list(report.sentences(found))
    assert sum("found in" in each for each in said) == len(found["movements"]) == 8
    assert any(each.startswith("a plate that grows: ") for each in said)
    assert not list(report.tables(found))


def test_weights_that_need_a_plate_grow_none():
    with pytest.raises(ConfigError, match="--plate --weights slim"):
        measure_plate(Settings(engine="torch", precision="float32", size=Size(128, 72), threads=1))
