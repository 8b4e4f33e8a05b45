"""The real ways to read and change a system."""

from __future__ import annotations

import os
import struct

import pytest

from camdaemon.system import accounts, machine
from camdaemon.system.machine import Machine, this_machine


def test_what_is_not_there_is_none(tmp_path):
    there = Machine(root=tmp_path)
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin" / "modprobe").touch()
    assert (there.text("/nowhere"), there.names("/nowhere"), there.kernel) == (None, [], "")
    assert there.has("modprobe")
    assert not there.has("rmmod")
    assert machine.read_control(str(tmp_path / "none"), 1) is None
    assert machine.read_control("/dev/null", 1) is None, "no V4L2 device"
    assert machine.read_access_list(str(tmp_path / "none")) == b""


def test_this_machine_knows_its_kernel_and_its_user(monkeypatch):
    here = this_machine()
    assert here.kernel == os.uname().release
    assert here.uid == os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "alice")
    assert this_machine().user == "alice"


def test_an_acl_of_the_kernel_is_read(tmp_path):
    node = tmp_path / "node"
    node.touch()
    nobody = 0xFFFFFFFF
    entries = [(1, 6, nobody), (2, 6, 4711), (2, 4, 4712), (4, 4, nobody), (16, 6, nobody), (32, 0, nobody)]
    written = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(node, "system.posix_acl_access", written)
    except OSError as exc:
        pytest.skip(f"this file system keeps no ACLs: {exc}")
    assert accounts.parse_access_list(machine.read_access_list(str(node))) == {4711}


def test_a_torn_acl_names_nobody():
    assert accounts.parse_access_list(b"") == set()
    assert accounts.parse_access_list(b"\2\0\0\0\2\0\6") == set()
