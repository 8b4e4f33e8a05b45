"""The doctor on whole machines: each with one illness, and one that is well."""

from __future__ import annotations

import re

import pytest

from camdaemon.linux.programs import CommandResult
from camdaemon.system.doctor.examine import UNCHECKED
from camdaemon.system.doctor.findings import Finding, Level
from tests.system.fake_machine import DEBIAN, FEDORA, SECURE_BOOT, UBUNTU

KEEP_FORMAT = 0x0098F900


def only(found: list[Finding], level: Level, about: str | None = None) -> Finding:
    """The one finding of that level."""
    chosen = [finding for finding in found if finding.level is level and about in (None, finding.about)]
    assert len(chosen) == 1, found
    return chosen[0]


def test_where_all_is_well_nothing_is_to_be_done(well, look):
    found = look()
    assert [finding for finding in found if finding.level is not Level.OK] == []
    assert {"module", "restart", "secureboot", "virtual", "sink", "rights", "camera", "torch", "gpu"} <= {
        finding.about for finding in found
    }
    assert not any(finding.fix for finding in found)
    assert not well.done, "the doctor changes nothing"


def test_a_fresh_debian(fake, look):
    found = look()
    missing = only(found, Level.PROBLEM, "module")
    assert re.search("v4l2loopback.*not installed", missing.says)
    assert missing.fix.startswith("sudo apt install v4l2loopback-dkms v4l2loopback-utils linux-headers-6.1.0-18-amd64")
    assert missing.fix.endswith("then: camdaemon setup")
    assert only(found, Level.PROBLEM, "sink").fix == "camdaemon setup"
    assert "lsusb" in only(found, Level.PROBLEM, "camera").fix


def test_ubuntu_with_0_12(well, look):
    well.drop("/sys/module/v4l2loopback/version")
    well.drop("/dev/v4l2loopback")
    well.put("/etc/os-release", UBUNTU)
    found = look("module")
    assert [f for f in found if f.level is Level.OK and re.search(r"v4l2loopback 0\.12 .*older.*loaded", f.says)]
    assert re.search("cannot add.*loaded", only(found, Level.NOTE).says)
    well.put("/usr/src/v4l2loopback-0.12.7/v4l2loopback.c")
    assert [f for f in look("module") if re.search(r"v4l2loopback 0\.12\.7\b.*loaded", f.says)]


@pytest.mark.parametrize(
    ("release", "fix"), [(DEBIAN, "bookworm-backports v4l2loopback-dkms"), (UBUNTU, "https://github.com/v4l2loopback")]
)
def test_0_12_7_on_a_kernel_it_does_not_build_for(fake, look, release, fix):
    fake.version = "0.12.7"
    fake.put("/etc/os-release", release)
    fake.put("/usr/src/v4l2loopback-0.12.7/dkms.conf")
    fake.kernel("6.8.0-49-generic")
    found = only(look("module"), Level.PROBLEM)
    assert re.search(r"0\.12\.7.*6\.8\.0-49-generic.*not build.*6\.8\b", found.says)
    assert fix in found.fix


@pytest.mark.parametrize(
    ("version", "kernel", "says"),
    [
        ("0.14.0", "6.1.0-18-amd64", r"0\.14\.0.*OBS"),
        ("0.15.0", "6.1.0-18-amd64", r"0\.15\.0.*memory"),
        ("0.15.2", "6.18.1-300.fc43", r"0\.15\.2.*crash.*6\.18\b"),
        ("0.15.2", "6.17.1-300.fc43", None),
        ("0.15.3", "6.18.1-300.fc43", None),
    ],
)
def test_fedora_and_the_known_faults_of_versions(well, look, version, kernel, says):
    well.version = version
    well.put("/etc/os-release", FEDORA)
    well.put("/sys/module/v4l2loopback/version", f"{version}\n")
    well.kernel(kernel)
    well.build()
    faults = [f for f in look("module") if f.level is not Level.OK and f.about == "module"]
    assert [bool(re.search(says, fault.says)) for fault in faults] == ([True] if says else [])
    assert all("install a newer v4l2loopback" in fault.fix for fault in faults)


def test_secure_boot_is_off_or_content(well, look):
    assert re.search(r"Secure Boot.*\boff\b", only(look("secureboot"), Level.OK).says)
    well.put(SECURE_BOOT, "\6\0\0\0\1")
    assert "has accepted" in only(look("secureboot"), Level.OK).says
    well.put(SECURE_BOOT, "\6\0\0\0\0")
    assert "is off" in only(look("secureboot"), Level.OK).says
    well.drop(SECURE_BOOT)
    assert "cannot be determined" in only(look("secureboot"), Level.NOTE).says
    well.answers["mokutil --sb-state"] = CommandResult(0, "SecureBoot enabled\n")
    assert "has accepted" in only(look("secureboot"), Level.OK).says


def test_secure_boot_and_a_module_that_nobody_signed(fake, look):
    fake.build()
    fake.put(SECURE_BOOT, "\6\0\0\0\1")
    fake.put("/var/lib/dkms/mok.pub")
    fake.answers["modinfo -F signer"] = CommandResult(0, "\n")
    found = only(look("secureboot"), Level.PROBLEM)
    assert "is not signed" in found.says
    assert "sudo mokutil --import /var/lib/dkms/mok.pub" in found.fix
    fake.answers["modinfo -F signer"] = CommandResult(0, "DKMS module signing key\n")
    assert "it is not enrolled" in only(look("secureboot"), Level.NOTE).says
    fake.answers["mokutil --test-key"] = CommandResult(0, "/var/lib/dkms/mok.pub is not enrolled\n")
    assert re.search("not know.*key.*v4l2loopback", only(look("secureboot"), Level.PROBLEM).says)


def test_a_module_for_an_older_kernel_only(fake, look):
    fake.build()
    fake.put("/usr/sbin/dkms")
    fake.kernel("6.1.0-20-amd64")
    found = only(look("module"), Level.PROBLEM)
    assert re.search(r"built.*6\.1\.0-18-amd64\b.*not.*6\.1\.0-20-amd64\b.*headers", found.says)
    assert found.fix == (
        "sudo apt install v4l2loopback-dkms v4l2loopback-utils linux-headers-6.1.0-20-amd64 && sudo dkms autoinstall"
    )
    fake.put("/lib/modules/6.1.0-20-amd64/build/Makefile")
    assert "headers" not in only(look("module"), Level.PROBLEM).says


def test_what_dkms_says_of_a_module_that_is_built_for_nothing(fake, look):
    fake.put("/usr/sbin/dkms")
    fake.answers["dkms status"] = CommandResult(0, "nvidia/570, 6.1: installed\nv4l2loopback/0.15.3: added\n")
    assert "DKMS says: v4l2loopback/0.15.3: added" in only(look("module"), Level.PROBLEM).says


def test_the_next_kernel_is_looked_at_too(well, look):
    well.put("/lib/modules/6.1.0-9-amd64/modules.dep")  # older, though it sorts behind
    well.put("/lib/modules/6.1.0-22-amd64/modules.dep")
    found = only(look("module"), Level.NOTE)
    assert re.search(r"6\.1\.0-22-amd64\b.*\bno v4l2loopback", found.says)
    assert found.fix == "sudo dkms autoinstall -k 6.1.0-22-amd64"


def test_a_module_that_will_be_gone_after_a_restart(well, look):
    well.drop("/etc/modules-load.d/camdaemon.conf")
    well.put("/etc/modules", "# v4l2loopback\nloop\n")
    assert only(look("module"), Level.NOTE).fix == "camdaemon setup"
    well.put("/etc/modules", "v4l2loopback\n")
    assert only(look("module"), Level.OK, "restart")


@pytest.mark.parametrize("seen", ["by its node", "by its parameters"])
def test_exclusive_caps_off(well, look, seen):
    well.add(10, "camdaemon", exclusive=False)
    if seen == "by its parameters":
        well.forbidden.add("/dev/video10")
        well.put("/sys/module/v4l2loopback/parameters/exclusive_caps", "N\n")
    found = only(look("virtual"), Level.PROBLEM)
    assert "exclusive_caps=0" in found.says
    assert found.fix == "camdaemon setup"


def test_a_camera_of_another_program_is_a_note_at_most(well, look):
    well.add(3, "OBS Cam", exclusive=False)
    found = only(look("virtual"), Level.NOTE)
    assert re.search(r"/dev/video3\b.*OBS Cam.*exclusive_caps=0", found.says)
    assert "camdaemon setup" not in found.fix, "it is not ours to make"


@pytest.mark.parametrize("asked", [True, False])
def test_a_pinned_format(well, look, asked):
    well.put("/sys/devices/virtual/video4linux/video10/format", "YUYV:640x480@30\n")
    well.put("/sys/devices/virtual/video4linux/video10/state", "capture\n")
    if asked:
        well.controls[("/dev/video10", KEEP_FORMAT)] = 1
    else:  # the node may not be opened: it looks fed, and nobody feeds it
        del well.controls[("/dev/video10", KEEP_FORMAT)]
        fed = well.text("/sys/module/v4l2loopback/refcnt")
        well.put("/sys/module/v4l2loopback/refcnt", "1\n")
        assert [f for f in look("virtual") if f.level is not Level.OK] == [], "somebody we cannot see feeds it"
        well.put("/sys/module/v4l2loopback/refcnt", fed)
    found = only(look("virtual"), Level.PROBLEM)
    assert re.search("pinned.*YUYV:640x480@30", found.says)
    assert found.fix == "sudo v4l2loopback-ctl set-caps /dev/video10 any"


def test_a_camera_that_its_last_producer_left_stuck(well, look):
    device = well.devices["/dev/video10"]
    well.devices["/dev/video10"] = type(device)(device.path, driver=device.driver, is_loopback=True)
    found = only(look("virtual"), Level.PROBLEM)
    assert "stuck" in found.says
    assert found.fix == "camdaemon setup"


def test_few_buffers_by_the_device_itself_else_by_the_module(well, look):
    well.answers["v4l2loopback-ctl query"] = CommandResult(0, "max_buffers      : 2\n")
    found = only(look("virtual"), Level.NOTE)
    assert "2 buffers" in found.says
    assert found.fix == "sudo modprobe -r v4l2loopback && camdaemon setup"
    well.answers["v4l2loopback-ctl query"] = CommandResult(1, "", "permission denied")
    assert [f for f in look("virtual") if f.level is not Level.OK] == [], "loaded with 4"
    well.put("/sys/module/v4l2loopback/parameters/max_buffers", "3\n")
    assert "3 buffers" in only(look("virtual"), Level.NOTE).says


def test_who_has_it_open_is_named_and_two_viewers_are_one_too_many(well, look):
    well.hold(50, "python", "/dev/video10")  # as one is called that was started with python -m
    well.hold(60, "wireplumber", "/dev/video10")
    well.hold(70, "firefox", "/dev/video10")
    running = {"pid": 50}
    found = look("virtual", status=running)
    assert [f for f in found if f.level is not Level.OK] == []
    assert re.search(r"open.*camdaemon\b.*\b50\b.*wireplumber\b.*\b60\b.*firefox\b.*\b70\b", found[0].says)
    well.hold(80, "zoom", "/dev/video10")
    well.put("/sys/module/v4l2loopback/version", "0.12.9\n")
    assert [f for f in look("virtual", status=running) if f.level is not Level.OK] == [], "there each gets its own"
    well.put("/sys/module/v4l2loopback/version", "0.13.2\n")
    note = only(look("virtual", status=running), Level.NOTE)
    assert re.search(r"open.*firefox\b.*\b70\b.*zoom\b.*\b80\b.*0\.13\b.*one program", note.says)
    assert not re.search("camdaemon|wireplumber", note.says)


def test_a_strange_producer(well, look):
    well.put("/sys/devices/virtual/video4linux/video10/state", "capture\n")
    well.hold(70, "ffmpeg", "/dev/video10")
    assert re.search(r"\bfed\b.*other than camdaemon.*ffmpeg\b.*\b70\b", only(look("virtual"), Level.NOTE).says)
    well.hold(50, "camdaemon", "/dev/video10")
    assert [f for f in look("virtual", status={"pid": 50}) if f.level is not Level.OK] == []


def test_the_sink_of_the_configuration(well, look):
    assert only(look("virtual", sink="out.mp4"), Level.OK, "sink")
    found = only(look("virtual", sink="/dev/video12"), Level.PROBLEM)
    assert re.search(r"^camdaemon setup --video-nr 12\b.*camdaemon run --sink /dev/video10$", found.fix)
    device, node, missing = [f for f in look("virtual", more_sinks=["/dev/video11"]) if f.about == "sink"]
    assert [f.level for f in (device, node, missing)] == [Level.OK, Level.OK, Level.PROBLEM]
    assert "/dev/video10" in device.says
    assert "PipeWire" in node.says
    assert re.search(r"/dev/video11\b.*not exist", missing.says)
    assert re.search(r"/dev/video0\b.*not a virtual", only(look("virtual", sink="/dev/video0"), Level.PROBLEM).says)


def test_a_user_who_is_not_in_the_group(well, look):
    well.made()
    well.forbidden |= {"/dev/video0", "/dev/video10"}
    found = [f for f in look("rights") if f.level is Level.PROBLEM]
    assert [re.findall(r"alice.*\bnot\b.*(/dev/\w+)", f.says) for f in found] == [["/dev/video10"], ["/dev/video0"]]
    assert re.search(r"^sudo usermod -aG video alice, .*log out", found[0].fix)
    well.put("/etc/group", "video:x:44:bob,alice\n")
    assert [bool(re.search("^log out", f.fix)) for f in look("rights")] == [True, True], "and no command"
    well.made(groups={"video"})
    assert "sudo chgrp video /dev/video10 && sudo chmod 660 /dev/video10" in {f.fix for f in look("rights")}


def test_a_user_at_the_screen_and_root(well, look):
    well.made()
    assert re.search(r"alice.*screen.*\bnot\b.*ssh", only(look("rights"), Level.NOTE).says)
    well.made(uid=0, user="root")
    assert re.search("root.*every", only(look("rights"), Level.OK).says)


def test_a_check_that_fails_is_a_note(well, look, monkeypatch):
    monkeypatch.setattr("camdaemon.system.loopback.list_kernels", lambda machine: 1 / 0)
    found = look()
    assert re.search(f"{UNCHECKED}.*ZeroDivisionError: division by zero", only(found, Level.NOTE, "module").says)
    assert {"camera", "torch", "hotkeys"} <= {finding.about for finding in found}, "the others go on"
