"""`camdaemon devices`: which nodes are cameras."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from camdaemon.cli.app import app
from camdaemon.linux import devices
from camdaemon.linux.devices import Device, Mode, Rates, Sizes

FED = Mode("YUYV", Sizes((320, 240), (320, 240)), (Rates(30, 30),))


def loopback(number: int, card: str, *, is_fed: bool) -> Device:
    return Device(
        f"/dev/video{number}",
        card=card,
        driver="v4l2 loopback",
        bus_info=f"platform:v4l2loopback-0{number}",
        can_capture=is_fed,
        can_output=not is_fed,
        is_loopback=True,
        is_fed=is_fed,
        modes=(FED,) if is_fed else (),
    )


@pytest.fixture(autouse=True)
def nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[Device]:
    """What is in /dev."""
    found: list[Device] = []
    monkeypatch.setattr(devices, "list_devices", lambda: found)
    monkeypatch.setattr("camdaemon.linux.holders.list_holders", lambda path: ["droidcam (pid 7)"])
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "nobody.sock"))
    return found


def listed(*words: str) -> str:
    done = CliRunner().invoke(app, ["devices", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_a_fed_loopback_is_listed_as_a_camera(nodes: list[Device]) -> None:
    nodes += [loopback(10, "camdaemon", is_fed=False), loopback(11, "Intel MIPI Camera", is_fed=True)]
    lines = listed().splitlines()
    assert "No camera" not in "".join(lines)
    (fed,) = [line for line in lines if line.startswith("/dev/video11")]
    assert "camera (v4l2loopback, fed" in fed
    assert "droidcam (pid 7)" in fed
    assert {each["path"]: each["is_camera"] for each in json.loads(listed("--json"))} == {
        "/dev/video10": False,
        "/dev/video11": True,
    }


def test_our_own_output_is_never_a_camera(nodes: list[Device], monkeypatch: pytest.MonkeyPatch) -> None:
    nodes += [loopback(10, "camdaemon", is_fed=True), loopback(12, "studio", is_fed=True)]
    monkeypatch.setattr(
        "camdaemon.control.client.Client.status",
        lambda self: {"sink": "/dev/video12 out.mp4"},
        raising=False,  # a running daemon writes there, as its command line says
    )
    said = listed()
    assert "No camera found" in said
    assert said.count("virtual camera of camdaemon") == 2
    assert not any(each["is_camera"] for each in json.loads(listed("--json")))


def test_a_loopback_that_nobody_feeds_is_no_camera(nodes: list[Device]) -> None:
    nodes.append(loopback(11, "DroidCam", is_fed=False))
    said = listed()
    assert "No camera found" in said
    assert "no program feeds" in said
