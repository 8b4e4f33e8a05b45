"""Controls against a fake driver: names, ranges and flags as the kernel tells them, and what cannot be set says why."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from camdaemon.capture.controls import find, list_controls, set_controls
from camdaemon.errors import ConfigError, DeviceError
from camdaemon.linux.v4l2_controls import Control, Flag, Kind
from tests.fake_camera import (
    BUTTON,
    EXPOSURES,
    INT64,
    INT_MENU,
    MENU,
    QUERYCTRL,
    S_CTRL,
    STRING,
    Knob,
    Knobs,
    old_webcam,
    webcam,
)

EXPOSURE_TIME, GAIN, AUTO_EXPOSURE = 0x009A0902, 0x00980913, 0x009A0901


@pytest.fixture
def node(tmp_path: Path) -> Path:
    return tmp_path / "video7"


@pytest.fixture
def camera(node: Path, monkeypatch: pytest.MonkeyPatch) -> Knobs:
    return Knobs(node, monkeypatch, *webcam())


def by_name(camera: Knobs) -> dict[str, Control]:
    return {control.name: control for control in list_controls(camera.path)}


def test_every_control_is_listed_as_the_driver_describes_it_and_no_headline(camera: Knobs) -> None:
    found = by_name(camera)
    assert list(found) == [
        "brightness",
        "white_balance_automatic",
        "gain",
        "power_line_frequency",
        "white_balance_temperature",
        "backlight_compensation",
        "auto_exposure",
        "exposure_time_absolute",
        "exposure_dynamic_framerate",
        "focus_absolute",
        "focus_automatic_continuous",
    ]
    exposure = found["exposure_time_absolute"]
    assert (exposure.kind, exposure.low, exposure.high, exposure.step) == (Kind.INTEGER, 3, 2047, 1)
    assert (exposure.default, exposure.value, exposure.flags) == (250, 333, Flag.INACTIVE)
    switch = found["auto_exposure"]
    assert (switch.kind, switch.value, switch.menu, switch.flags) == (Kind.MENU, 3, EXPOSURES, Flag(0))
    assert re.fullmatch(r"2000\D+6500\D+10", found["white_balance_temperature"].range)
    assert switch.range == "1 (Manual Mode), 3 (Aperture Priority Mode)"
    assert camera.written == []


def test_kinds_and_flags_that_a_webcam_rarely_has(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    knobs = [
        Knob(1, "Restore -- Defaults!", kind=BUTTON),
        Knob(2, "Link Frequency", 1, high=1, kind=INT_MENU, menu={0: -5, 1: 1 << 40}),
        Knob(3, "Serial No.", kind=STRING, high=32),
        Knob(4, "Pixel Rate", kind=INT64),
        Knob(5, "Temperature", -3, -20, 90, flags=0x4 | 0x80 | 0x20),  # a slider, which tells us nothing
        Knob(6, "From Tomorrow", kind=0x0104),
    ]
    found = by_name(Knobs(node, monkeypatch, *knobs))
    assert list(found) == ["restore_defaults", "link_frequency", "serial_no", "pixel_rate", "temperature"]
    assert [control.value for control in found.values()] == [None, 1, None, None, -3]
    assert found["link_frequency"].menu == {0: "-5", 1: str(1 << 40)}
    assert found["temperature"].flags == Flag.READ_ONLY | Flag.VOLATILE
    assert not found["temperature"].is_settable


@pytest.mark.parametrize("knobs", [[], [Knob(0x00980001, "User Controls", kind=6)]])
def test_a_camera_without_controls_has_none(node: Path, monkeypatch: pytest.MonkeyPatch, knobs: list[Knob]) -> None:
    assert list_controls(Knobs(node, monkeypatch, *knobs).path) == []


def test_a_control_that_cannot_be_described_does_not_hide_those_behind_it(camera: Knobs) -> None:
    camera.refuses[QUERYCTRL, GAIN] = errno.EIO
    assert list(by_name(camera)) == [
        "brightness",
        "white_balance_automatic",
        "power_line_frequency",
        "white_balance_temperature",
        "backlight_compensation",
        "auto_exposure",
        "exposure_time_absolute",
        "exposure_dynamic_framerate",
        "focus_absolute",
        "focus_automatic_continuous",
    ]


@pytest.mark.parametrize("refused", [errno.EIO, errno.EACCES, errno.EBUSY])
def test_a_value_that_cannot_be_read_is_none(camera: Knobs, refused: int) -> None:
    camera.refuses[0xC008561B, GAIN] = refused
    assert by_name(camera)["gain"].value is None


@pytest.mark.parametrize(
    ("asked", "name"),
    [("exposure_auto", "auto_exposure"), ("gain", "gain"), ("focus_auto", "focus_automatic_continuous"), ("x", None)],
)
def test_the_names_of_old_kernels_are_known(camera: Knobs, asked: str, name: str | None) -> None:
    control = find(list_controls(camera.path), asked)
    assert (control and control.name) == name


def test_the_names_of_new_kernels_are_known_on_old_ones(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Knobs(node, monkeypatch, *old_webcam())
    assert set_controls(camera.path, {"auto_exposure": 1}) == {"exposure_auto": (1, 1)}
    assert camera["Exposure, Auto"] == 1


def test_values_are_set_and_read_back_as_the_driver_made_them(camera: Knobs) -> None:
    made = set_controls(
        camera.path, {"brightness": 90, "white_balance_temperature": 4714, "white_balance_automatic": 0}
    )
    assert made["brightness"] == (90, 90)
    assert made["white_balance_temperature"] == (4714, 4710)
    assert camera.written[0] == ("White Balance, Automatic", 0), "a value is refused while it is automatic"


def test_a_button_is_pressed(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Knobs(node, monkeypatch, Knob(7, "Reset", kind=BUTTON))
    assert set_controls(camera.path, {"reset": 1}) == {}
    assert camera.written == [("Reset", 1)]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"brightnes": 1}, "'brightnes'.* brightness\\?$"),
        ({"warp": 1}, "'warp'.*: camdaemon camera show$"),
        (
            {"brightness": 256},
            r"brightness .*256.* 0\D+255\b.*: camdaemon camera set brightness=128$",
        ),
        ({"brightness": -1}, "brightness .*-1"),
        (
            {"auto_exposure": 2},
            r"^auto_exposure .*\b2\b.* 1 \(Manual Mode\), 3 \(Aper.*: camdaemon camera set auto_exposure=3$",
        ),
        (
            {"exposure_time_absolute": 200},
            "^exposure_time_abs.* auto_exposure .*: camdaemon camera set auto_exposure=1 exposure_time_absolute=200$",
        ),
        (
            {"auto_exposure": 3, "gain": 1},
            "gain .*while auto_exposure",
        ),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_set(camera: Knobs, wanted: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        set_controls(camera.path, {"power_line_frequency": 2} | wanted)
    assert camera.written == []


@pytest.mark.parametrize(
    ("knob", "message"),
    [
        (Knob(5, "Temperature", flags=0x4), "temperature .*looked at.*: camdaemon camera show$"),
        (Knob(5, "Temperature", flags=0x1), "temperature .*looked at"),
        (Knob(5, "Temperature", kind=STRING), "temperature .*not a number"),
        (Knob(5, "Temperature", flags=0x10), "temperature .*another control.*: camdaemon camera show$"),
    ],
)
def test_what_is_not_there_to_be_set(node: Path, monkeypatch: pytest.MonkeyPatch, knob: Knob, message: str) -> None:
    camera = Knobs(node, monkeypatch, knob)
    with pytest.raises(ConfigError, match=message):
        set_controls(camera.path, {"temperature": 1})
    assert camera.written == []


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (errno.EBUSY, r"gain .*held.*zoom \(pid 7\).*: fuser -v .*video7$"),
        (errno.EACCES, r"gain .*refused.*\(Permission denied\).*: camdaemon camera show$"),
        (errno.EIO, r"gain .*refused.*\(Input/output error\)"),
        (errno.ENODEV, r"video7.*unplugged.*: camdaemon devices$"),
    ],
)
def test_a_driver_that_refuses_says_why_and_what_was_set_before_is_put_back(
    camera: Knobs, refused: int, message: str
) -> None:
    camera.refuses[S_CTRL, GAIN] = refused
    with pytest.raises(DeviceError, match=message):
        set_controls(camera.path, {"brightness": 90, "auto_exposure": 1, "gain": 9})
    assert (camera["Brightness"], camera["Auto Exposure"]) == (128, 3)


def test_an_unplugged_camera_is_an_error_for_people(camera: Knobs) -> None:
    camera.unplugged_at = 0
    with pytest.raises(DeviceError, match=r"video7.*unplugged.*: camdaemon devices$"):
        list_controls(camera.path)


def test_a_missing_camera_and_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"video9.*not exist.*Run: camdaemon devices$"):
        list_controls(str(tmp_path / "video9"))
    (tmp_path / "file").touch()
    assert list_controls(str(tmp_path / "file")) == []


def test_the_node_is_closed_however_it_ends(camera: Knobs) -> None:
    before = set(os.listdir("/proc/self/fd"))
    list_controls(camera.path)
    camera.unplugged_at = 0
    with pytest.raises(DeviceError):
        list_controls(camera.path)
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_menu_without_items_is_as_wide_as_its_ends(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Knobs(node, monkeypatch, Knob(8, "Color Effects", 0, high=2, kind=MENU))
    assert by_name(camera)["color_effects"].range == "0 to 2"
    assert set_controls(camera.path, {"color_effects": 2}) == {"color_effects": (2, 2)}
