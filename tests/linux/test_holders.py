"""Who holds a device, asked of the real /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from camdaemon.linux import holders


def test_holders_names_another_program_that_has_the_device_open_but_never_ourselves(tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to("/dev/full")
    with open("/dev/full", "rb"):  # a device nobody else has open
        assert holders.list_holders("/dev/full") == []
        hold = "f = open('/dev/full', 'rb'); print('open', flush=True); input()"
        with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"open\n"
            found = holders.list_holders("/dev/full")
            by_link = holders.list_holders(str(link))
            numbers = holders.find_holders(os.stat("/dev/full").st_rdev)
            other.kill()
    assert [who.rpartition(" ")[2] for who in found] == [f"{other.pid})"]
    assert "python" in found[0]
    assert by_link == found, "a device is its number, whatever it is called"
    assert numbers == [other.pid]


def test_without_proc_nobody_holds_anything(monkeypatch) -> None:
    def refuse(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert holders.list_holders("/dev/full") == []


def test_no_device_has_no_holders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert holders.list_holders(str(tmp_path / "file")) == []
    assert holders.list_holders(str(tmp_path / "missing")) == []
    assert holders.name_holders(str(tmp_path / "missing")) == "another program"
