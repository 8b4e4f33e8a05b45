"""How `camdaemon setup` makes its cameras beside those of others, by what the module and its tool can do."""

from __future__ import annotations

import re

import pytest

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.system.setup import files
from camdaemon.system.setup.steps import ALWAYS, Wanted
from tests.system.fake_machine import FEDORA, UBUNTU
from tests.system.setup.acting import OPTIONS, again_is_nothing, commands, run


def test_ubuntu_with_0_12_reloads_and_brings_the_others_back(fake):
    fake.version = "0.12.7"
    fake.put("/etc/os-release", UBUNTU)
    fake.build()
    fake.install_ctl()  # whose 0.12 is a script without 'add'
    fake.load('video_nr=3,0 card_label="OBS Virtual Camera,Dummy video device (0x0001)" exclusive_caps=1,0')
    assert commands(fake)[0] == "modprobe -r v4l2loopback"
    run(fake)
    assert fake.done[-1] == (
        'modprobe v4l2loopback devices=2 video_nr=3,10 card_label="OBS Virtual Camera,camdaemon" '
        "exclusive_caps=1,1 max_buffers=4"
    )
    assert OPTIONS in fake.text(files.OPTIONS), "what stays is ours alone"
    again_is_nothing(fake)


@pytest.mark.parametrize("seen", [True, False])
def test_a_reload_waits_for_those_who_use_the_module(fake, seen):
    fake.version = "0.12.7"
    fake.build()
    fake.load("video_nr=3 card_label=OBS exclusive_caps=1")
    if seen:
        fake.hold(77, "firefox", "/dev/video3")
    else:
        fake.put("/sys/module/v4l2loopback/refcnt", "1\n")
    who = r"firefox.*\b77\b" if seen else "another user.*sudo fuser -v /dev/video"
    with pytest.raises(CamdaemonError, match=f"reload.*open.*{who}.*run: camdaemon setup$"):
        run(fake)
    assert fake.done == []


def test_fedora_with_0_15_adds_a_device_while_the_module_works(fake):
    fake.put("/etc/os-release", FEDORA)
    fake.build()
    fake.install_ctl()
    fake.load("video_nr=3 card_label=OBS exclusive_caps=1")
    fake.hold(77, "obs", "/dev/video3")
    run(fake, Wanted(12, "my camera", 2))
    assert [line for line in fake.done if line.startswith(("modprobe", "v4l2"))] == [
        "v4l2loopback-ctl add -n my camera -x 1 -b 4 /dev/video12",
        "v4l2loopback-ctl add -n my camera 2 -x 1 -b 4 /dev/video13",
    ]
    line = 'video_nr=12,13 card_label="my camera,my camera 2" exclusive_caps=1,1'
    assert line in fake.text(files.OPTIONS)
    again_is_nothing(fake, Wanted(12, "my camera", 2))


def test_what_comes_next_feeds_every_camera(fake, capsys):
    fake.build()
    run(fake, Wanted(12, devices=2))
    shown = capsys.readouterr().out
    assert re.search(rf"/dev/video12 \(camdaemon\).*/dev/video13 \(camdaemon 2\).*{ALWAYS}", shown)
    assert shown.endswith(": camdaemon run --sink /dev/video12 --sink /dev/video13\n")


def test_an_old_module_forgets_a_camera_when_nobody_uses_it(fake, capsys):
    fake.version = "0.12.7"
    fake.build()
    run(fake, Wanted(devices=2))
    fake.add(3, "OBS")
    fake.done.clear()
    fake.put("/sys/module/v4l2loopback/refcnt", "1\n")
    run(fake)
    assert re.search(r"/dev/video11\b.*in use.*reload", capsys.readouterr().out)
    assert not [line for line in fake.done if line.startswith("modprobe")]
    run(fake, Wanted(devices=2))
    fake.put("/sys/module/v4l2loopback/refcnt", "0\n")
    run(fake)
    assert sorted(fake.devices) == ["/dev/video10", "/dev/video3"]
    again_is_nothing(fake)


def test_a_newer_ctl_does_not_fit_an_older_module(fake):
    """Seen: 0.15's v4l2loopback-ctl with a 0.13.2 module ends with ENOSYS."""
    fake.version = "0.13.2"
    fake.build()
    fake.install_ctl("0.15.0")
    fake.load("video_nr=3 card_label=OBS exclusive_caps=1")
    assert "modprobe -r v4l2loopback" in commands(fake)
    fake.install_ctl("0.13.2")
    assert "v4l2loopback-ctl add -n camdaemon -x 1 -b 4 /dev/video10" in commands(fake)


@pytest.mark.parametrize("can_add", [True, False])
@pytest.mark.parametrize("fault", ["exclusive_caps off", "stuck"])
def test_a_camera_of_ours_that_is_useless_is_made_anew(fake, can_add, fault):
    fake.build()
    if can_add:
        fake.install_ctl()
    fake.load(f"video_nr=10 card_label=camdaemon exclusive_caps={int(fault == 'stuck')}")
    if fault == "stuck":
        stuck = fake.devices["/dev/video10"]
        fake.devices["/dev/video10"] = type(stuck)(stuck.path, driver=stuck.driver, is_loopback=True)
    run(fake)
    assert fake.devices["/dev/video10"].can_output
    assert not fake.devices["/dev/video10"].can_capture
    first = "v4l2loopback-ctl delete /dev/video10" if can_add else "modprobe -r v4l2loopback"
    assert fake.done[0] == first, "before the files, which say what was ours"
    again_is_nothing(fake)


def test_setup_is_what_was_asked_for_last(fake):
    fake.build()
    fake.install_ctl()
    run(fake, Wanted(devices=2))
    fake.done.clear()
    run(fake, Wanted(10, "studio"))
    assert [line for line in fake.done if line.startswith("v4l2")] == [
        "v4l2loopback-ctl delete /dev/video10",
        "v4l2loopback-ctl delete /dev/video11",
        "v4l2loopback-ctl add -n studio -x 1 -b 4 /dev/video10",
    ]
    again_is_nothing(fake, Wanted(10, "studio"))


@pytest.mark.parametrize("who", ["a webcam", "another program's"])
def test_the_number_of_another_device_is_left_alone(fake, who):
    fake.build()
    fake.install_ctl()
    fake.load("video_nr=11 card_label=OBS exclusive_caps=1")
    if who == "a webcam":
        fake.camera("/dev/video10")
    else:
        fake.add(10, "Droid")
    with pytest.raises(ConfigError, match=r"^/dev/video10\b.*taken.*Run: camdaemon setup --video-nr 12$"):
        run(fake)
    assert fake.done == []


def test_the_module_s_nameless_device_may_become_ours(fake):
    fake.build()
    fake.load("video_nr=10")
    run(fake)
    assert fake.devices["/dev/video10"].card == "camdaemon"
