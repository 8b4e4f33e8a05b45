"""`camdaemon plate list` and `plate forget` as people type them, with no daemon."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from camdaemon.cli import asking
from camdaemon.cli.app import app
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.plate import saved, store
from camdaemon.plate.parts import Plate

C920, BUILT_IN = "usb-046d_HD_Pro_Webcam_C920-video-index0", "Integrated Camera"


@pytest.fixture
def plates() -> list[saved.SavedPlate]:
    for camera in (C920, BUILT_IN):
        store.save(saved.path_for(camera, Size(128, 72)), Plate(np.zeros((72, 128, 3), np.uint8)), {})
    return saved.list_plates()


def type_(*words: str) -> str:
    return CliRunner().invoke(app, ["plate", *words], catch_exceptions=False).output


def refused(*words: str) -> str:
    with pytest.raises(ConfigError) as wrong:
        type_(*words)
    assert wrong.value.exit_code == 2
    return str(wrong.value)


def left() -> list[str]:
    return sorted(plate.camera for plate in saved.list_plates())


def test_the_list_shows_all_that_is_kept_and_how_to_remove_it(plates):
    shown = type_("list")
    for plate in plates:
        assert re.search(rf"{plate.camera} +128x72 +just now +{plate.bytes} +{re.escape(str(plate.path))}", shown)
    assert "camdaemon plate forget" in shown
    listed = json.loads(type_("list", "--json"))
    assert [each["path"] for each in listed] == [str(plate.path) for plate in plates]


def test_without_plates_it_says_so():
    assert type_("list") == "No plate is kept.\n"
    assert json.loads(type_("list", "--json")) == []
    assert type_("forget", "--all") == "No plate is kept.\n"


@pytest.mark.usefixtures("plates")
def test_one_camera_or_all_are_forgotten():
    assert "1 plate removed" in type_("forget", "c920", "--yes")
    assert left() == ["Integrated-Camera"]
    assert "1 plate removed" in type_("forget", "--all", "-y")
    assert left() == []


@pytest.mark.usefixtures("plates")
def test_nothing_is_forgotten_unasked(monkeypatch):
    assert refused("forget", "c920").endswith("Run: camdaemon plate forget c920 --yes")
    assert refused("forget", "--all").endswith("Run: camdaemon plate forget --all --yes")
    assert refused("forget").endswith("camdaemon plate list")
    assert refused("forget", "c920", "--all").endswith("camdaemon plate list")
    assert refused("forget", "c930", "--yes").endswith("camdaemon plate list")
    monkeypatch.setattr(asking, "is_terminal", lambda: True)
    for answer in ("n\n", "\n", ""):
        said = CliRunner().invoke(app, ["plate", "forget", "--all"], input=answer)
        assert "Nothing was removed" in said.output
    assert len(left()) == 2
    assert CliRunner().invoke(app, ["plate", "forget", "--all"], input="y\n").exit_code == 0
    assert left() == []


@pytest.mark.usefixtures("plates")
def test_a_running_daemon_keeps_what_it_has_loaded(monkeypatch, tmp_path):
    import socket

    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "c.sock"))
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(tmp_path / "c.sock"))
        assert "camdaemon stop" in type_("forget", "--all", "--yes")


def test_taking_a_plate_is_still_the_default_and_both_explain_themselves(monkeypatch):
    assert "--countdown" in type_("--help")
    assert "--countdown" in type_("take", "--help")
    assert "--json" in type_("list", "--help")
    assert "--all" in type_("forget", "--help")
    monkeypatch.setattr(sys, "argv", ["camdaemon", "plate", "lst"])
    assert CliRunner().invoke(app, ["plate", "lst"]).exit_code == 2
