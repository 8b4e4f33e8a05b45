"""Locking a camera: still at the values of the moment, put back afterwards, also after a crash."""

from __future__ import annotations

import errno
import itertools
import re
from pathlib import Path

import pytest

from camdaemon.capture import lock as locking
from camdaemon.capture.lock import apply, list_leftovers, lock, restore, unlock
from camdaemon.errors import ConfigError, DeviceError
from camdaemon.linux import devices
from tests.fake_camera import BOOL, G_CTRL, MENU, S_CTRL, Knob, Knobs, old_webcam, webcam

AUTO_EXPOSURE, EXPOSURE_TIME, FOCUS_AUTO = 0x009A0901, 0x009A0902, 0x009A090C
AUTOMATIC = {
    "auto_exposure": 3,
    "white_balance_automatic": 1,
    "focus_automatic_continuous": 1,
    "exposure_dynamic_framerate": 1,
    "backlight_compensation": 1,
}
LOCKED = {
    "auto_exposure": 1,
    "exposure_time_absolute": 333,
    "gain": 40,
    "exposure_dynamic_framerate": 0,
    "backlight_compensation": 0,
    "white_balance_automatic": 0,
    "white_balance_temperature": 4700,
    "focus_automatic_continuous": 0,
    "focus_absolute": 35,
    "power_line_frequency": 1,
}


@pytest.fixture
def node(tmp_path: Path) -> Path:
    return tmp_path / "video7"


@pytest.fixture(params=[False, True], ids=["refuses", "ignores"])
def camera(request: pytest.FixtureRequest, node: Path, monkeypatch: pytest.MonkeyPatch) -> Knobs:
    """A webcam whose driver refuses, or ignores, a value that is set while it is automatic."""
    return Knobs(node, monkeypatch, *webcam(), ignores=request.param)


def values(camera: Knobs) -> dict[str, int]:
    return {knob.title: knob.value for knob in camera.knobs.values()}


def test_everything_automatic_is_off_at_the_values_it_had_chosen(camera: Knobs) -> None:
    locked = lock(camera.path)
    assert locked.now == LOCKED
    assert locked.refused == ()
    assert values(camera) == {
        "User Controls": 0,
        "Brightness": 128,
        "White Balance, Automatic": 0,
        "Gain": 40,
        "Power Line Frequency": 1,
        "White Balance Temperature": 4700,
        "Backlight Compensation": 0,
        "Auto Exposure": 1,
        "Exposure Time, Absolute": 333,
        "Exposure, Dynamic Framerate": 0,
        "Focus, Absolute": 35,
        "Focus, Automatic Continuous": 0,
    }
    touched = {title for title, _ in camera.written}
    assert not touched & {"Brightness", "Power Line Frequency"}


def test_what_is_changed_is_told_as_it_was(camera: Knobs) -> None:
    assert lock(camera.path).before == AUTOMATIC


def test_restore_puts_back_what_was_automatic_and_forgets_it(camera: Knobs) -> None:
    lock(camera.path)
    restored = restore(camera.path)
    assert restored is not None
    assert restored.refused == ()
    back = {knob.title: knob.value for knob in webcam()}
    for title in ("White Balance, Automatic", "Auto Exposure", "Exposure, Dynamic Framerate", "Backlight Compensation"):
        assert camera[title] == back[title]
    assert camera["Focus, Automatic Continuous"] == 1
    assert restore(camera.path) is None
    assert list_leftovers() == []


def test_a_camera_that_was_set_by_hand_gets_its_own_values_back(camera: Knobs) -> None:
    lock(camera.path)
    restore(camera.path)
    by_hand = {"auto_exposure": 1, "exposure_time_absolute": 77, "gain": 5}
    for name, value in zip(("Auto Exposure", "Exposure Time, Absolute", "Gain"), by_hand.values(), strict=True):
        next(knob for knob in camera.knobs.values() if knob.title == name).value = value
    changed = apply(camera.path, LOCKED)
    assert (camera["Exposure Time, Absolute"], camera["Gain"]) == (333, 40)
    assert {"exposure_time_absolute": 77, "gain": 5}.items() <= changed.before.items()
    restore(camera.path)
    assert (camera["Auto Exposure"], camera["Exposure Time, Absolute"], camera["Gain"]) == (1, 77, 5)


def test_values_go_back_before_the_automatic_modes(camera: Knobs) -> None:
    apply(camera.path, LOCKED | {"exposure_time_absolute": 500})
    camera.written.clear()
    assert restore(camera.path) is not None
    titles = [title for title, _ in camera.written]
    assert titles.index("Exposure Time, Absolute") < titles.index("Auto Exposure")
    assert camera["Exposure Time, Absolute"] == 333


def test_locking_twice_still_remembers_the_first_state(camera: Knobs) -> None:
    first, again = lock(camera.path), lock(camera.path)
    assert (again.before, again.now) == ({}, first.now)
    assert [left.before for left in list_leftovers()] == [first.before]
    restore(camera.path)
    assert camera["Auto Exposure"] == 3


def test_what_is_remembered_is_the_oldest(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged and plugged in again, the camera stands at its own defaults, which nobody chose."""
    camera = Knobs(node, monkeypatch, *webcam())
    camera.knobs[AUTO_EXPOSURE].value, camera.knobs[EXPOSURE_TIME].value = 1, 77
    apply(camera.path, LOCKED)
    camera.knobs[EXPOSURE_TIME].value = 250
    apply(camera.path, LOCKED)
    restore(camera.path)
    assert camera["Exposure Time, Absolute"] == 77


def test_a_value_outside_of_its_own_range_is_not_kept(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Knobs(node, monkeypatch, *webcam())
    camera.knobs[AUTO_EXPOSURE].value, camera.knobs[EXPOSURE_TIME].value = 1, 65535
    assert lock(camera.path).now == {name: LOCKED[name] for name in LOCKED if name != "exposure_time_absolute"} | {
        "gain": 0
    }


def test_stored_values_come_back_at_the_next_start(camera: Knobs) -> None:
    """The camera is automatic again, as after it was unplugged; its lamp light gave other values."""
    stored = lock(camera.path).now
    restore(camera.path)
    for knob in camera.knobs.values():
        knob.live = lambda: 60
    assert apply(camera.path, stored).now == stored == LOCKED
    assert camera["Exposure Time, Absolute"] == 333
    restore(camera.path)
    assert camera["Auto Exposure"] == 3


def test_a_value_that_wanders_is_held_where_it_was_first_read(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandering = itertools.count(300)
    camera = Knobs(node, monkeypatch, *webcam(drift=lambda: next(wandering)))
    now = lock(camera.path).now["exposure_time_absolute"]
    assert now == camera["Exposure Time, Absolute"] == 300


@pytest.mark.parametrize("nonsense", [0, 65535, -1])
def test_nonsense_told_while_automatic_is_not_set_but_what_the_driver_settles_on_is_kept(
    node: Path, monkeypatch: pytest.MonkeyPatch, nonsense: int
) -> None:
    camera = Knobs(node, monkeypatch, *webcam(drift=lambda: nonsense))
    locked = lock(camera.path)
    assert camera["Auto Exposure"] == 1
    assert locked.now["exposure_time_absolute"] == camera["Exposure Time, Absolute"] == 250
    assert "Exposure Time, Absolute" not in dict(camera.written)


def test_a_value_that_cannot_be_read_while_automatic_is_left_to_the_driver(camera: Knobs) -> None:
    camera.refuses[G_CTRL, EXPOSURE_TIME] = errno.EIO
    locked = lock(camera.path)
    assert camera["Auto Exposure"] == 1
    assert "exposure_time_absolute" not in locked.now


def test_the_names_of_old_kernels(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Knobs(node, monkeypatch, *old_webcam(), ignores=True)
    locked = lock(camera.path)
    assert locked.now == {
        "exposure_auto": 1,
        "exposure_absolute": 100,
        "exposure_auto_priority": 0,
        "white_balance_temperature_auto": 0,
        "white_balance_temperature": 5000,
        "focus_auto": 0,
    }
    assert camera["Exposure (Absolute)"] == 100


def test_values_stored_by_an_old_kernel_serve_a_new_one(camera: Knobs) -> None:
    apply(camera.path, {"exposure_auto": 1, "exposure_absolute": 90, "focus_auto": 0, "gone_since": 3})
    assert (camera["Auto Exposure"], camera["Exposure Time, Absolute"]) == (1, 90)
    assert camera["Focus, Automatic Continuous"] == 0


@pytest.mark.parametrize(
    ("menu", "chosen"),
    [({0: "Auto", 1: "Manual", 2: "Shutter", 3: "Aperture"}, 1), ({0: "Auto", 2: "Shutter"}, 2)],
)
def test_the_exposure_mode_is_chosen_among_those_there_are(
    node: Path, monkeypatch: pytest.MonkeyPatch, menu: dict[int, str | int], chosen: int
) -> None:
    switch = Knob(AUTO_EXPOSURE, "Auto Exposure", 0, high=3, kind=MENU, menu=menu)
    camera = Knobs(node, monkeypatch, switch)
    lock(camera.path)
    assert camera["Auto Exposure"] == chosen
    restore(camera.path)
    assert camera["Auto Exposure"] == 0


def test_a_mode_that_cannot_be_switched_off_is_told_and_the_rest_is_locked(
    node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = [knob for knob in webcam() if knob.id != AUTO_EXPOSURE]
    knobs.append(Knob(AUTO_EXPOSURE, "Auto Exposure", 3, high=3, kind=MENU, menu={3: "Aperture Priority Mode"}))
    locked = lock(Knobs(node, monkeypatch, *knobs).path)
    [told] = locked.refused
    assert re.match("auto_exposure .*switched off", told)
    assert locked.now["focus_absolute"] == 35
    assert not {"auto_exposure", "exposure_time_absolute", "gain"} & set(locked.now), "these still change"


@pytest.mark.parametrize("refused", [errno.EBUSY, errno.EACCES, errno.EIO])
def test_what_the_driver_refuses_is_told_and_the_rest_is_locked(camera: Knobs, refused: int) -> None:
    camera.refuses[S_CTRL, FOCUS_AUTO] = refused
    locked = lock(camera.path)
    assert any(sentence.startswith("focus_automatic_continuous ") for sentence in locked.refused)
    assert not {"focus_absolute", "focus_automatic_continuous"} & set(locked.now)
    assert camera["Auto Exposure"] == 1


def test_a_driver_that_takes_the_switch_and_does_nothing_is_found_out(
    camera: Knobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = camera._set
    monkeypatch.setattr(camera, "_set", lambda knob, buffer: None if knob.id == FOCUS_AUTO else really(knob, buffer))
    assert re.search("focus_automatic_continuous .*switched off", " ".join(lock(camera.path).refused))


@pytest.mark.parametrize("knobs", [[], [Knob(0x00980900, "Brightness", 5, high=9)]], ids=["none", "nothing automatic"])
def test_where_there_is_nothing_to_lock_nothing_happens(
    node: Path, monkeypatch: pytest.MonkeyPatch, knobs: list[Knob]
) -> None:
    camera = Knobs(node, monkeypatch, *knobs)
    locked = lock(camera.path)
    assert (locked.before, locked.refused, camera.written) == ({}, (), [])
    assert list_leftovers() == []
    assert restore(camera.path) is None
    assert unlock(camera.path).before == {}
    assert camera.written == []


def test_unplugged_while_it_is_locked(camera: Knobs) -> None:
    camera.unplugged_at = 2
    with pytest.raises(DeviceError, match=r"video7.*unplugged"):
        lock(camera.path)
    assert len(list_leftovers()) == 1, "plugged in again it may still be locked"
    camera.unplugged_at = None
    restore(camera.path)
    assert [camera["Auto Exposure"], camera["White Balance, Automatic"], list_leftovers()] == [3, 1, []]


def test_unplugged_while_it_is_restored_keeps_what_was(camera: Knobs) -> None:
    before = lock(camera.path).before
    camera.unplugged_at = len(camera.written) + 1
    with pytest.raises(DeviceError, match=r"video7.*unplugged"):
        restore(camera.path)
    assert [left.before for left in list_leftovers()] == [before]


def test_what_was_is_written_before_anything_is_changed(camera: Knobs) -> None:
    seen: list[dict[str, int]] = []
    really = camera._set

    def killed(knob: Knob, buffer: bytearray) -> None:
        seen.extend(left.before for left in list_leftovers())
        really(knob, buffer)
        raise KeyboardInterrupt

    camera._set = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        lock(camera.path)
    assert seen == [AUTOMATIC]
    camera._set = really  # type: ignore[method-assign]
    left = list_leftovers()[0]
    assert (left.camera, left.device, left.before) == ("Cam (usb-1)", camera.path, AUTOMATIC)
    restore(left.device)
    assert camera["Auto Exposure"] == 3


def test_a_state_that_cannot_be_kept_leaves_the_camera_alone(
    camera: Knobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"not locked.* store .*: df -h /$"):
        lock(camera.path)
    assert camera.written == []


def test_a_broken_state_file_is_no_state(camera: Knobs) -> None:
    lock(camera.path)
    file = next(locking._folder().glob("*.json"))
    for content in ("", "[1]", '{"before": [1]}', '{"before": {"gain": "x"}}'):
        file.write_text(content)
        assert list_leftovers() == []
        assert restore(camera.path) is None


def test_a_driver_that_refuses_to_restore_is_asked_again_later(camera: Knobs) -> None:
    lock(camera.path)
    camera.refuses[S_CTRL, FOCUS_AUTO] = errno.EIO
    restored = restore(camera.path)
    assert restored is not None
    assert re.match("focus_automatic_continuous .*refused", restored.refused[0])
    assert camera["Auto Exposure"] == 3
    camera.refuses.clear()
    restore(camera.path)
    assert camera["Focus, Automatic Continuous"] == 1


def test_restore_leaves_out_what_has_vanished_and_what_is_automatic_again(camera: Knobs) -> None:
    apply(camera.path, LOCKED | {"exposure_time_absolute": 500})
    camera.knobs[AUTO_EXPOSURE].value = 3  # by another program
    del camera.knobs[FOCUS_AUTO]
    restored = restore(camera.path)
    assert restored is not None
    assert restored.refused == ()
    assert list_leftovers() == []


def test_unlock_without_a_memory_switches_everything_automatic_on(camera: Knobs) -> None:
    lock(camera.path)
    next(locking._folder().glob("*.json")).unlink()
    done = unlock(camera.path)
    assert [camera["Auto Exposure"], camera["White Balance, Automatic"], camera["Focus, Automatic Continuous"]] == [
        3,
        1,
        1,
    ]
    assert done.before == {"auto_exposure": 1, "white_balance_automatic": 0, "focus_automatic_continuous": 0}
    assert done.now == {"exposure_dynamic_framerate": 0, "backlight_compensation": 0, "power_line_frequency": 1}


def test_two_cameras_are_remembered_apart(camera: Knobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(camera.path)
    other = Knobs(tmp_path / "video8", monkeypatch, Knob(FOCUS_AUTO, "Focus, Auto", 1, kind=BOOL))
    monkeypatch.setattr(devices, "describe", lambda path: devices.Device(path, card="Other"))
    lock(other.path)
    assert sorted(left.camera for left in list_leftovers()) == ["Cam (usb-1)", "Other ()"]
    restore(other.path)
    assert [left.camera for left in list_leftovers()] == ["Cam (usb-1)"]
