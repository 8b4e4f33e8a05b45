"""Which plate a run begins with: a damaged saved one is said and left out, a wrong file of the user's ends the run."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from camdaemon.config.schema import Config
from camdaemon.daemon import build
from camdaemon.daemon.plates import find_controls, load_places
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.pipeline.metrics import Metrics
from camdaemon.plate import saved, store
from camdaemon.plate.parts import Plate
from tests.daemon.assembling import assemble
from tests.fakes import PerfectMatting

SIZE = Size(128, 72)
CAMERA: Any = SimpleNamespace(name="camera", live=True, size=SIZE)


def keep(level: int, place: int = 1, age_s: float = 0.0) -> Path:
    path = saved.path_for("camera", SIZE, place)
    store.save(path, Plate(np.full((72, 128, 3), level, np.uint8)), {"gain": 3})
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_a_damaged_plate_is_named_once_and_the_run_begins_without_it(caplog):
    path = keep(9)
    assert load_places(Config(), CAMERA, SIZE)[0].plate.rgb.max() == 9
    path.write_bytes(path.read_bytes()[:-20])
    with caplog.at_level(logging.INFO):
        assert load_places(Config(), CAMERA, SIZE) == []
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(path) in record.getMessage()
    assert record.getMessage().endswith("Run: camdaemon plate --countdown 5")


def test_plate_none_ignores_the_saved_one():
    keep(9)
    assert load_places(Config(plate="none"), CAMERA, SIZE) == []
    assert find_controls(Config(plate="none"), CAMERA, SIZE) == {}
    assert find_controls(Config(), CAMERA, SIZE) == {"gain": 3}


def test_the_plates_of_all_places_are_loaded_the_latest_first():
    keep(9)
    keep(12, place=2, age_s=-60)
    assert [place.plate.rgb.max() for place in load_places(Config(), CAMERA, SIZE)] == [12, 9]


def test_plate_none_needs_weights_that_doubt():
    config = Config(source="pattern", sink="null", plate="none", matting="difference")
    with pytest.raises(ConfigError, match=r"works? without a plate\. Run with: --weights slim"):
        assemble(config)


@pytest.mark.parametrize(
    ("plate", "without", "doubts", "needs"),
    [
        ("saved", "card", True, True),
        ("saved", "matte", True, False),
        ("none", "card", True, False),
        ("saved", "matte", False, True),
    ],
)
def test_whether_a_plate_is_needed(plate, without, doubts, needs):
    config = Config(source="pattern", sink="null", plate=plate, without_plate=without)
    made = build.Engines(config, SIZE, Metrics()).make_first("cpu", PerfectMatting(doubts=doubts))
    assert made.gate.needs_plate is needs


@pytest.mark.parametrize(
    ("plate", "without", "has_one", "is_live", "purpose"),
    [
        ("saved", "matte", False, True, "without_plate"),
        ("saved", "matte", True, True, "live"),
        ("saved", "card", False, True, "live"),
        ("auto", "matte", False, True, "live"),
        ("saved", "matte", False, False, "live"),
        ("none", "card", False, True, "without_plate"),
        ("none", "card", False, False, "without_plate"),
    ],
)
def test_which_weights_are_the_default_is_decided_by_the_plate_at_the_start(plate, without, has_one, is_live, purpose):
    config = Config(source="pattern", sink="null", plate=plate, without_plate=without)
    assert build._find_purpose(config, has_plate=has_one, is_live=is_live) == purpose


def test_a_damaged_plate_that_the_user_names_is_a_mistake(tmp_path):
    (tmp_path / "room.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"room\.png"):
        load_places(Config(plate=str(tmp_path / "room.png")), CAMERA, SIZE)
