"""The desktop's portal on machines that are folders: the order of its start, and permissions that were denied."""

from __future__ import annotations

import pytest

from camdaemon.linux.programs import CommandResult
from camdaemon.system.doctor.findings import Level
from tests.system.fake_pipewire import HAS_CAMERA, OWN, PERMISSIONS, FakePipeWire


@pytest.fixture
def pipewire(fake):
    """A desktop on which camdaemon publishes its camera."""
    return FakePipeWire(fake, OWN)


def test_a_portal_that_offers_cameras(look, pipewire):
    (found,) = look("portal")
    assert (found.level, found.fix) == (Level.OK, "")


def test_a_desktop_without_a_portal_for_cameras(look, pipewire):
    pipewire.portal(HAS_CAMERA, "", code=1)
    (found,) = look("portal")
    assert found.level is Level.NOTE
    assert "xdg-desktop-portal-gnome" in found.fix


def test_a_machine_without_busctl(look, pipewire):
    pipewire.portal(HAS_CAMERA, "", code=127)
    (found,) = look("portal")
    assert (found.level, found.fix) == (Level.NOTE, "")
    assert "busctl" in found.says


def test_wireplumber_before_the_portal(look, pipewire):
    """xdg-desktop-portal #2143: the portal says that there are cameras, and programs see none."""
    pipewire.run("wireplumber", 700, started=1999)
    (found,) = look("portal")
    assert found.level is Level.NOTE
    assert "WirePlumber was started before" in found.says
    assert found.fix == "only if they list none: systemctl --user restart wireplumber"
    pipewire.run("wireplumber", 701, started=2001)  # after that
    assert look("portal")[0].level is Level.OK


def test_a_camera_that_the_portal_has_not_noticed(look, pipewire):
    """xdg-desktop-portal 1.16 counts cameras once, as it starts. Then WirePlumber has to come after it again."""
    pipewire.portal(HAS_CAMERA, "b false\n")
    (found,) = look("portal")
    assert found.level is Level.NOTE
    assert found.fix == "systemctl --user restart xdg-desktop-portal && systemctl --user restart wireplumber"
    pipewire.cameras.clear()
    pipewire.publish({"media.class": "Video/Source", "media.role": "Screen"})
    (none,) = look("portal")
    assert none.level is Level.OK, "there is none to notice"
    assert "at the moment there is none" in none.says


@pytest.mark.parametrize("unknown", ["who", "when"])
def test_an_order_that_cannot_be_known_is_not_blamed(fake, look, pipewire, unknown):
    pipewire.run("wireplumber", 700, started=1)
    if unknown == "who":
        pipewire.end("xdg-desktop-portal")
    else:
        fake.put("/proc/600/stat", "600 (a) b) S 1\n")
    assert look("portal")[0].level is Level.OK


@pytest.mark.parametrize("with_flatpak", [True, False])
def test_who_was_denied_is_named_with_what_to_type(fake, look, pipewire, with_flatpak):
    pipewire.permit({"org.mozilla.firefox": ["no"], "org.gnome.Snapshot": ["yes"], "org.x": ["ask"], "": ["no"]})
    if with_flatpak:
        fake.put("/usr/bin/flatpak")
    _, everybody, firefox = look("portal")
    assert (everybody.level, firefox.level) == (Level.NOTE, Level.NOTE)
    assert firefox.says.startswith("org.mozilla.firefox was denied cameras")
    assert everybody.says.startswith("every program outside of sandboxes")
    if with_flatpak:
        assert firefox.fix.startswith("flatpak permission-set devices camera org.mozilla.firefox yes, then start it")
        assert everybody.fix.startswith("flatpak permission-set devices camera '' yes,")
    else:
        assert "SetPermission sbssas devices false camera org.mozilla.firefox 1 yes, then" in firefox.fix


@pytest.mark.parametrize("answer", ["", "{", "[]", '{"data": []}', '{"data": [3]}', '{"data": [{"x": 3}]}'])
def test_permissions_that_cannot_be_read_deny_nobody(fake, look, pipewire, answer):
    fake.answers[PERMISSIONS] = CommandResult(0, answer)
    assert len(look("portal")) == 1
