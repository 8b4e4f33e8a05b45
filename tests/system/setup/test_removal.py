"""`camdaemon setup --remove` undoes what setup made, and nothing else."""

from __future__ import annotations

import re

import pytest

from camdaemon.errors import CamdaemonError
from camdaemon.system.setup import files
from camdaemon.system.setup.perform import set_up, take_away
from camdaemon.system.setup.steps import Wanted
from tests.system.fake_machine import MODULE, FakeMachine


def never(_: str) -> bool:
    return pytest.fail("nobody is to be asked")


@pytest.fixture
def done(fake: FakeMachine) -> FakeMachine:
    """After a setup of two cameras."""
    fake.build()
    set_up(fake.machine, Wanted(devices=2), dry_run=False, yes=True, install=False, agree=never)
    fake.done.clear()
    return fake


def remove(fake: FakeMachine, *, dry_run: bool = False) -> None:
    take_away(fake.machine, dry_run=dry_run, yes=True, agree=never)


def test_nothing_of_it_is_left(done, capsys):
    remove(done)
    assert not any(done.has(path) for path in files.OURS)
    assert not done.has(MODULE), "it had no cameras but ours"
    assert "sudo gpasswd -d alice video" in capsys.readouterr().out
    done.done.clear()
    remove(done)
    assert done.done == []
    assert "Nothing to remove" in capsys.readouterr().out


def test_where_there_was_nothing_there_is_nothing_to_do(fake, capsys):
    remove(fake)
    assert fake.done == []
    assert "Nothing to remove" in capsys.readouterr().out


def test_a_dry_run_only_shows(done, capsys):
    remove(done, dry_run=True)
    assert done.done == []
    assert "sudo rm -f /etc/modprobe.d/camdaemon.conf" in capsys.readouterr().out


def test_foreign_files_and_cameras_are_left_and_named(done, capsys):
    done.put(files.LOAD, "v4l2loopback\n")
    done.add(3, "OBS")
    remove(done)
    shown = capsys.readouterr().out
    assert done.text(files.LOAD) == "v4l2loopback\n"
    assert re.search(f"{re.escape(files.LOAD)}.*not written.*stays", shown)
    assert re.search(r"/dev/video10\b.*/dev/video11\b.*stays.*next start", shown)
    assert done.has(MODULE)
    assert not done.has(files.OPTIONS)


def test_with_the_control_tool_only_our_cameras_go(done):
    done.install_ctl()
    done.add(3, "OBS")
    done.hold(5, "obs", "/dev/video3")
    remove(done)
    assert done.done[:2] == ["v4l2loopback-ctl delete /dev/video10", "v4l2loopback-ctl delete /dev/video11"]
    assert list(done.devices) == ["/dev/video3"]


def test_a_camera_in_use_is_not_taken_away(done):
    done.hold(12, "firefox", "/dev/video11")
    with pytest.raises(
        CamdaemonError, match=r"open.*firefox.*\b12\b.*camdaemon stop\b.*run: camdaemon setup --remove$"
    ):
        remove(done)
    assert done.done == []
    assert done.has(files.OPTIONS)
