"""`camdaemon setup --hide-camera` on machines that are folders, and that nothing of it is left afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from camdaemon.cli.system import setup
from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.linux.programs import CommandResult
from camdaemon.system.setup import hidden_files as files
from camdaemon.system.setup.hidden_files import Before, Camera
from camdaemon.system.setup.hiding import _DROP_ACL, plan_hiding
from camdaemon.system.setup.perform import UNCHANGED, hide_camera, take_away, unhide_cameras
from camdaemon.system.setup.steps import to_shell
from tests.system.fake_hiding import plug
from tests.system.fake_machine import FakeMachine

UNPLUGGED = Camera("1d6b", "0102", "Z9")


def never(_: str) -> bool:
    return pytest.fail("nobody is to be asked")


def hide(fake: FakeMachine, path: str = "/dev/video0", *, dry_run: bool = False) -> bool:
    return hide_camera(fake.machine, path, dry_run=dry_run, yes=True, agree=never)


def unhide(fake: FakeMachine) -> bool:
    return unhide_cameras(fake.machine, dry_run=False, yes=True, agree=never)


def snapshot(fake: FakeMachine) -> dict[str, str]:
    """Every file and folder of the machine."""
    paths = [path for path in fake.root.rglob("*") if not path.is_relative_to(fake.root / "sys")]
    return {str(path.relative_to(fake.root)): path.read_text() if path.is_file() else "" for path in paths}


@pytest.fixture
def webcam(fake: FakeMachine) -> FakeMachine:
    """A webcam with its node for metadata, another webcam, and the folders of systemd and udev."""
    fake.camera("/dev/video0")
    fake.camera("/dev/video1", can_capture=False)
    fake.camera("/dev/video2", card="Other")
    plug(fake, "/dev/video0")
    plug(fake, "/dev/video1")
    plug(fake, "/dev/video2", usb=("1234", "0001", ""), at="1-5")
    for folder in ("etc/systemd/system", "etc/udev/rules.d", "etc/sysusers.d", "usr/local/lib"):
        (fake.root / folder).mkdir(parents=True)
    return fake


def test_all_nodes_of_that_camera_go_to_the_group_and_no_others(webcam, capsys):
    assert hide(webcam)
    assert webcam.hidden == {"/dev/video0", "/dev/video1"}
    assert "chmod 0660 /dev/video0 /dev/video1" in webcam.done
    rule = webcam.text(files.RULES)
    assert 'ATTRS{idVendor}=="046d", ATTRS{idProduct}=="0825", ATTRS{serial}=="A1B2C3"' in rule
    assert 'TAG-="uaccess", GROUP="camdaemon-camera", MODE="0660"' in rule
    shown = capsys.readouterr().out
    assert "courtesy, not security" in shown
    assert "systemctl enable --now camdaemon-camera.socket" in shown
    assert "more lines" in shown, "the program is not shown as a whole"


def test_the_rule_stands_between_the_one_that_tags_and_the_one_that_acts():
    assert "70-uaccess.rules" < Path(files.RULES).name < "73-seat-late.rules"


def test_the_service_stands_before_the_camera_is_taken(webcam):
    hide(webcam)
    first = {line.split()[0]: number for number, line in reversed(list(enumerate(webcam.done)))}
    assert first["tee"] < first["systemd-sysusers" if "systemd-sysusers" in first else "useradd"]
    assert first["systemctl"] < first["udevadm"] < first["chgrp"] < len(webcam.done)


def test_a_second_time_is_nothing(webcam, capsys):
    hide(webcam)
    webcam.done.clear()
    assert hide(webcam)
    assert webcam.done == []
    assert "Nothing to do" in capsys.readouterr().out


def test_a_dry_run_only_shows(webcam, capsys):
    before = snapshot(webcam)
    assert not hide(webcam, dry_run=True)
    assert snapshot(webcam) == before
    assert webcam.done == []
    assert capsys.readouterr().out.endswith(f"{UNCHANGED}\n")


@pytest.mark.parametrize(
    "give_back", [unhide, lambda fake: take_away(fake.machine, dry_run=False, yes=True, agree=never)]
)
@pytest.mark.parametrize("languages", ["main.lua.d", "wireplumber.conf.d"])
def test_afterwards_nothing_is_left(webcam, give_back, languages):
    (webcam.root / "usr/share/wireplumber" / languages).mkdir(parents=True)
    before = snapshot(webcam)
    hide(webcam)
    assert give_back(webcam)
    assert webcam.hidden == set()
    assert "chmod 660 /dev/video0" in webcam.done
    left = snapshot(webcam)
    assert {name for name in left if name not in before} <= {"etc/wireplumber"}
    assert {name: left[name] for name in before} == before
    webcam.done.clear()
    give_back(webcam)
    assert webcam.done == []


def test_the_way_back_is_in_order(webcam):
    """The socket is stopped while its unit is there; the group goes last, when nothing belongs to it."""
    hide(webcam)
    webcam.done.clear()
    unhide(webcam)
    kinds = [line.split()[0] for line in webcam.done]
    assert kinds[0] == "systemctl"
    assert kinds.index("chown") < kinds.index("rm") < kinds.index("udevadm") < kinds.index("sh") == len(kinds) - 1


def test_a_node_becomes_again_what_it_was(webcam):
    webcam.answers["stat -c %U:%G %a /dev/video0"] = CommandResult(0, "alice:cameras 640\n")
    hide(webcam)
    assert files.list_before(webcam.machine)[0] == Before("/dev/video0", "alice:cameras", "640")


def test_an_owner_without_a_name_is_not_remembered(webcam):
    webcam.answers["stat -c %U:%G %a /dev/video0"] = CommandResult(0, "UNKNOWN:video 660\n")
    hide(webcam)
    assert files.list_before(webcam.machine)[0] == Before("/dev/video0", "root:video", "660"), "as udev makes it"


def test_a_second_camera_is_hidden_next_to_the_first(webcam, capsys):
    hide(webcam)
    hide(webcam, "/dev/video2")
    assert webcam.hidden == {"/dev/video0", "/dev/video1", "/dev/video2"}
    assert len(files.list_cameras(webcam.machine)) == 2
    assert {each.node for each in files.list_before(webcam.machine)} == webcam.hidden
    assert "no serial number" in capsys.readouterr().out
    unhide(webcam)
    assert webcam.hidden == set()


def test_the_access_that_the_user_at_the_screen_has_ends(webcam):
    webcam.seat("/dev/video0")
    hide(webcam)
    (drop,) = (line for line in webcam.done if "posix_acl_access" in line)
    assert drop.endswith(" /dev/video0")
    assert webcam.done.index(drop) < webcam.done.index("chmod 0660 /dev/video0 /dev/video1")


def test_a_program_that_has_it_open_is_named(webcam, capsys):
    webcam.hold(7, "zoom", "/dev/video0")
    hide(webcam)
    assert re.search(r"open in zoom \(pid 7\).*stays open", capsys.readouterr().out)


def test_a_virtual_camera_is_not_hidden(webcam):
    webcam.add(10, "camdaemon")
    with pytest.raises(ConfigError, match="virtual"):
        hide(webcam, "/dev/video10")
    with pytest.raises(ConfigError, match="no camera"):
        hide(webcam, "/dev/video9")
    with pytest.raises(ConfigError, match="no camera"):
        hide(webcam, "/etc/passwd")


@pytest.mark.parametrize("lacks", ["/run/systemd/system/.keep", "/usr/bin/python3"])
def test_a_machine_that_cannot_run_the_service(webcam, lacks):
    webcam.drop(lacks)
    if lacks.endswith(".keep"):
        (webcam.root / "run/systemd/system").rmdir()
    with pytest.raises(CamdaemonError, match="needs"):
        hide(webcam)
    assert webcam.done == []


def test_a_foreign_file_is_kept(webcam):
    webcam.put(files.RULES, "# mine\n")
    with pytest.raises(ConfigError, match="not written by camdaemon"):
        hide(webcam)
    unhide(webcam)
    assert webcam.text(files.RULES) == "# mine\n"


@pytest.mark.parametrize("serial", ['A", RUN+="/bin/sh', "*", "a\nb", "[0-9]"])
def test_what_a_device_says_of_itself_writes_no_rule(fake, serial):
    plug(fake, "/dev/video0", usb=("046d", "0825", serial))
    assert files.identify(fake.machine, "video0") == Camera("046d", "0825")


def test_a_camera_on_another_bus_is_known_by_its_device(fake):
    plug(fake, "/dev/video0", usb=("", "", ""), at="0000:00:05.0")
    camera = files.identify(fake.machine, "video0")
    assert camera == Camera(parent="0000:00:05.0")
    assert 'KERNELS=="0000:00:05.0"' in files.make_rules([camera], [])


def test_what_the_rule_says_is_read_again(fake):
    cameras = [Camera("046d", "0825", "A1"), Camera("1d6b", "0102"), Camera(parent="vivid.0")]
    before = [Before("/dev/video0", "root:video", "660")]
    fake.put(files.RULES, files.make_rules(cameras, before))
    assert files.list_cameras(fake.machine) == cameras
    assert files.list_before(fake.machine) == before


def test_without_sudo_root_can_type_all_of_it(webcam):
    """The whole program as one command of the shell: it writes the same bytes."""
    (step,) = (step for step in plan_hiding(webcam.machine, "/dev/video0").steps if step.file == files.PROGRAM)
    target = webcam.root / "copy.py"
    line = to_shell(step).replace(files.PROGRAM, str(target))
    subprocess.run(["sh", "-c", line], check=True)
    assert target.read_text() == step.text


def test_wireplumber_gets_the_rule_in_its_versions_language(webcam):
    assert not {files.WIREPLUMBER, files.WIREPLUMBER_4} & files.make_contents(webcam.machine, [UNPLUGGED], []).keys()
    (webcam.root / "usr/share/wireplumber").mkdir(parents=True)
    new = files.make_contents(webcam.machine, [UNPLUGGED, Camera(parent="vivid.0")], [])
    assert 'device.vendor.id = "0x1d6b", device.product.id = "0x0102"' in new[files.WIREPLUMBER]
    assert 'device.vendor.id = "7531"' in new[files.WIREPLUMBER], "PipeWire before 1.0 writes decimal numbers"
    assert 'device.serial = "~.*Z9"' in new[files.WIREPLUMBER]
    assert 'device.sysfs.path = "~.*/vivid[.]0/.*"' in new[files.WIREPLUMBER]
    assert files.WIREPLUMBER_4 not in new
    (webcam.root / "usr/share/wireplumber/main.lua.d").mkdir()
    old = files.make_contents(webcam.machine, [UNPLUGGED], [])
    assert '{ "device.vendor.id", "matches", "0x1d6b" }' in old[files.WIREPLUMBER_4]
    assert files.WIREPLUMBER not in old
    assert old[files.WIREPLUMBER_4].startswith("--"), "in Lua # is no comment"


@pytest.mark.skipif(not shutil.which("spa-json-dump"), reason="no spa-json-dump")
def test_wireplumbers_rule_is_what_pipewire_calls_json(webcam, tmp_path):
    (webcam.root / "usr/share/wireplumber").mkdir(parents=True)
    texts = files.make_contents(webcam.machine, [UNPLUGGED, Camera(parent="0000:00:05.0")], [])
    (tmp_path / "rule.conf").write_text(texts[files.WIREPLUMBER])
    done = subprocess.run(["spa-json-dump", tmp_path / "rule.conf"], capture_output=True, check=True)
    (rule,) = json.loads(done.stdout)["monitor.v4l2.rules"]
    assert rule["actions"] == {"update-props": {"device.disabled": True}}
    assert len(rule["matches"]) == 4
    assert re.fullmatch(rule["matches"][-1]["device.sysfs.path"].removeprefix("~"), "/sys/a/0000:00:05.0/video4linux/b")


def test_what_contradicts_itself_does_nothing():
    with pytest.raises(ConfigError, match="exclude each other"):
        setup(hide_camera="/dev/video0", remove=True)
    with pytest.raises(ConfigError, match="exclude each other"):
        setup(hide_camera="/dev/video0", unhide_camera=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_systemd_accepts_the_units(webcam, tmp_path):
    hide(webcam)
    for unit in (files.SOCKET_UNIT, files.SERVICE_UNIT):
        (tmp_path / unit).write_text(webcam.text(f"{files.UNITS}/{unit}"))
    units = [str(tmp_path / unit) for unit in (files.SOCKET_UNIT, files.SERVICE_UNIT)]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    faults = [line for line in done.stderr.splitlines() if "camdaemon" in line and "not executable" not in line]
    assert faults == []


@pytest.mark.skipif(not shutil.which("udevadm"), reason="no udevadm")
def test_udev_accepts_the_rules(tmp_path):
    path = tmp_path / Path(files.RULES).name
    path.write_text(files.make_rules([Camera("046d", "0825", "A1 B2"), Camera(parent="0000:00:05.0")], []))
    done = subprocess.run(["udevadm", "verify", str(path)], capture_output=True, text=True, check=False)
    if "Unknown command" in done.stderr:
        pytest.skip("this udevadm cannot verify rules (before systemd 254)")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("systemd-sysusers"), reason="no root, or no systemd-sysusers")
def test_sysusers_makes_the_user_and_a_group_of_its_own(webcam, tmp_path):
    hide(webcam)
    (tmp_path / "etc").mkdir()
    fragment = tmp_path / "camdaemon.conf"
    fragment.write_text(webcam.text(files.USER))
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", str(fragment)], check=True, capture_output=True)
    assert "camdaemon-camera:x:" in (tmp_path / "etc/passwd").read_text()
    (group,) = (
        line for line in (tmp_path / "etc/group").read_text().splitlines() if line.startswith("camdaemon-camera")
    )
    assert group.endswith(":"), "nobody else is in it"


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no /usr/bin/python3")
def test_the_command_that_ends_the_access_does(fake, tmp_path):
    fake.seat("/dev/video0")
    file = tmp_path / "node"
    file.write_text("")
    try:
        os.setxattr(file, "system.posix_acl_access", fake.acl["/dev/video0"])
    except OSError as exc:
        pytest.skip(f"no access lists here: {exc.strerror}")
    subprocess.run(["/usr/bin/python3", "-I", "-c", _DROP_ACL, str(file)], check=True)
    assert os.listxattr(file) == []
