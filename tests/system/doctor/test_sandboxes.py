"""Browsers as Flatpak and Snap on machines that are folders: what each reads, and whether it may."""

from __future__ import annotations

import re

import pytest

from camdaemon.linux.programs import CommandResult
from camdaemon.system.doctor.findings import Level

CLOSED = "[Context]\nshared=network;ipc;\nsockets=x11;wayland;\ndevices=dri;\n"
OPEN = CLOSED.replace("dri;", "dri;all;")  # as after `flatpak override --device=all`
CONNECTED = (
    "Interface  Plug             Slot     Notes\n"
    "audio      chromium:audio   :audio   -\n"
    "camera     chromium:camera  :camera  -\n"
)
CUT = CONNECTED.replace(":camera  -", "-        -")
FIREFOX, CHROME = "org.mozilla.firefox", "com.google.Chrome"


def install(fake, package, permissions=None):
    fake.put(f"/home/alice/.local/share/flatpak/app/{package}/current")
    if permissions is not None:
        fake.answers[f"flatpak info --show-permissions {package}"] = CommandResult(0, permissions)


def snap(fake, package, connections=None, folder="/snap"):
    fake.put(f"{folder}/{package}/current")
    if connections is not None:
        fake.answers[f"snap connections {package}"] = CommandResult(0, connections)


def test_no_sandbox_no_word(well, look):
    assert look("sandbox") == []


def test_sandboxes_that_cannot_be_asked(well, look):
    install(well, FIREFOX)
    snap(well, "chromium")
    found = look("sandbox")
    assert [f.fix for f in found] == [
        f"flatpak override --user --device=all {FIREFOX}",
        "sudo snap connect chromium:camera",
    ]
    assert all(f.level is Level.NOTE and "if it lists no camera" in f.says for f in found)


@pytest.mark.parametrize("folder", ["/snap", "/var/lib/snapd/snap"])
def test_a_snap_and_its_camera_interface(well, look, folder):
    snap(well, "chromium", CUT, folder)
    (cut,) = look("sandbox")
    assert (cut.level, cut.fix) == (Level.NOTE, "sudo snap connect chromium:camera")
    assert re.search(r"Chromium \(Snap\): may not read.*not connected", cut.says)
    snap(well, "chromium", CONNECTED, folder)
    (found,) = look("sandbox")
    assert (found.level, found.fix) == (Level.OK, "")


def test_a_flatpak_that_reads_dev(well, look):
    install(well, CHROME, CLOSED)
    (found,) = look("sandbox")
    assert (found.level, found.fix) == (Level.NOTE, f"flatpak override --user --device=all {CHROME}")
    install(well, CHROME, OPEN)
    assert look("sandbox")[0].level is Level.OK
    install(well, CHROME, CLOSED.replace("dri;", "dri;!all;"))
    assert look("sandbox")[0].level is Level.NOTE


def test_a_flatpak_that_asks_the_portal(well, look):
    install(well, FIREFOX, CLOSED)
    (found,) = look("sandbox")
    assert re.search("from PipeWire only.*PipeWire support", found.says)
    assert re.search(rf"allow-pipewire in its about:config, or: flatpak override .*{FIREFOX}$", found.fix)
    (found,) = look("sandbox", sink="/dev/video10")
    assert found.fix == f"flatpak override --user --device=all {FIREFOX}", "nothing of ours is in PipeWire"


def test_who_reads_dev_has_nothing_to_read_without_the_module(fake, look, well):
    snap(well, "chromium", CONNECTED)
    install(well, CHROME, OPEN)
    well.drop("/dev/video10")
    found = look("sandbox")
    assert [(f.level, f.fix) for f in found] == [(Level.NOTE, "camdaemon setup")] * 2
    assert all("no virtual camera in /dev" in f.says for f in found)


def test_a_flatpak_that_could_read_dev_asks_the_portal_where_nothing_is_in_dev(look, well):
    install(well, FIREFOX, OPEN)
    assert look("sandbox")[0].level is Level.OK
    well.drop("/dev/video10")
    assert re.search("allow-pipewire in its about:config, or: camdaemon setup$", look("sandbox")[0].fix)
