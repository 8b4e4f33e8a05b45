"""The doctor on hidden cameras: handed out, not handed out and why, and what to type."""

from __future__ import annotations

import re

import pytest

from camdaemon.system.doctor.findings import Level
from camdaemon.system.setup import hidden_files
from camdaemon.system.setup.hidden_files import Camera
from tests.system.fake_hiding import plug


@pytest.fixture
def hides(well):
    """/dev/video0 is hidden, as setup does it, from a user who is in the group video."""
    plug(well)
    well.put(hidden_files.RULES, hidden_files.make_rules([Camera("046d", "0825", "A1B2C3")], []))
    well.hidden = {"/dev/video0"}
    well.forbidden = {"/dev/video0"}
    return well


def test_where_nothing_is_hidden_nothing_is_said(well, look):
    assert look("hidden") == []


def test_a_hidden_camera_that_its_service_hands_out_is_well(hides, look):
    found = look("hidden", "rights", "camera")
    assert {finding.level for finding in found} == {Level.OK}, "that nobody may open it is no problem of rights"
    assert re.search("/dev/video0.*HD Webcam.*hidden.*configured", found[1].says + found[0].says)
    assert any("answers" in finding.says for finding in found)


def test_a_service_that_does_not_answer(hides, look):
    hides.refusal = "hidden cameras cannot be had, because their service does not answer at /run/x (No such file)"
    (found,) = (finding for finding in look("hidden") if finding.level is Level.PROBLEM)
    assert "sudo systemctl enable --now camdaemon-camera.socket" in found.fix


def test_a_user_who_is_not_at_the_screen(hides, look):
    hides.refusal = "only the user at the screen gets it, and that is another one now"
    (found,) = (finding for finding in look("hidden") if finding.level is Level.PROBLEM)
    assert "another one" in found.says
    assert "camdaemon setup --unhide-camera" in found.fix


def test_a_control_socket_that_the_service_does_not_know(hides, look):
    hides.environ["CAMDAEMON_SOCKET"] = "/tmp/alice/control.sock"
    (found,) = (finding for finding in look("hidden") if finding.level is Level.PROBLEM)
    assert "/tmp/alice/control.sock" in found.says
    assert found.fix == "export CAMDAEMON_SOCKET=/run/user/1000/camdaemon/control.sock"


def test_root_is_told_nothing_of_the_service(hides, look):
    hides.made(uid=0, user="root")
    hides.refusal = "only the user at the screen gets it"
    assert {finding.level for finding in look("hidden")} == {Level.OK}


def test_a_camera_that_the_rule_did_not_reach(hides, look):
    hides.hidden = hides.forbidden = set()
    (found,) = (finding for finding in look("hidden") if finding.level is Level.PROBLEM)
    assert "/dev/video0" in found.says
    assert "camdaemon setup --hide-camera /dev/video0" in found.fix


def test_a_camera_that_is_not_plugged_in(hides, look):
    hides.put(hidden_files.RULES, hidden_files.make_rules([Camera("1d6b", "0102", "Z9")], []))
    notes = [finding for finding in look("hidden") if finding.level is Level.NOTE]
    assert len(notes) == 1
    assert re.search("1d6b:0102 Z9.*not plugged in", notes[0].says)
