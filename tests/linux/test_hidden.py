"""Hidden cameras as the rest of camdaemon meets them: by the node's group, at the one place where nodes are opened."""

from __future__ import annotations

import grp
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from camdaemon.control.instance import DaemonLock
from camdaemon.linux import devices, hidden, v4l2


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group of this process is that of hidden cameras."""
    monkeypatch.setattr(grp, "getgrnam", lambda name: SimpleNamespace(gr_gid=os.getegid(), asked=name))


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process may open nothing, as a user: it may run as root."""

    real_open, real_access = os.open, os.access

    def refuse(path: str, *arguments: Any, **more: Any) -> int:
        if os.fspath(path).endswith("video0"):
            raise PermissionError(13, "Permission denied", path)
        return real_open(path, *arguments, **more)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "access", lambda path, *more: not path.endswith("video0") and real_access(path, *more))


def test_the_nodes_group_tells(tmp_path: Path, ours: None) -> None:
    node, link = tmp_path / "video0", tmp_path / "by-id"
    node.write_text("")
    link.symlink_to(node)
    assert hidden.is_hidden(str(node))
    assert hidden.is_hidden(str(link))
    assert not hidden.is_hidden(str(tmp_path / "none"))


def test_without_the_group_nothing_is_hidden(tmp_path: Path) -> None:
    assert not hidden.is_hidden(str(tmp_path))


@pytest.mark.usefixtures("ours", "closed")
def test_a_hidden_node_is_had_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = tmp_path / "video0"
    node.write_text("")
    monkeypatch.setattr(hidden, "fetch", lambda path: 4711 if path == str(node) else -1)
    assert v4l2.open_node(str(node), os.O_RDWR, if_missing="camdaemon devices") == 4711


@pytest.mark.usefixtures("ours", "closed")
def test_the_list_names_a_hidden_camera_and_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "video0").write_text("")
    sysfs = tmp_path / "sys"
    (sysfs / "video0").mkdir(parents=True)
    (sysfs / "video0" / "name").write_text("HD Webcam\n")
    monkeypatch.setattr(devices, "_SYSFS", sysfs)
    monkeypatch.setattr(hidden, "fetch", lambda path: pytest.fail("the service was asked"))
    (found,) = devices.list_devices(tmp_path)
    assert found.is_hidden
    assert found.card == "HD Webcam"
    assert "hidden" in (found.problem or "")


def test_the_daemons_lock_is_what_the_service_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "run" / "control.sock"
    with DaemonLock(path) as lock:
        (shown,) = hidden._proof
        assert os.path.samestat(os.fstat(shown), os.stat(f"{path}.lock"))
        os.unlink(f"{path}.lock")
        lock.keep()
        (shown,) = hidden._proof
        assert os.path.samestat(os.fstat(shown), os.stat(f"{path}.lock")), "the new one"
    assert hidden._proof == []
