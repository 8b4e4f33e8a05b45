"""Which programs hold a device open, as /proc tells it. Standard library only; safe from any thread.

Devices are compared by number (st_rdev), so a by-id link or a bind mount is the same device. The processes of other
users are visible to root only.
"""

from __future__ import annotations

import os
from pathlib import Path


def list_holders(path: str) -> list[str]:
    """Return 'name (pid 12)' of each other program that holds the node at `path` open; none for what is no device."""
    device = _device_number(path)
    return [f"{name} (pid {pid})" for pid in find_holders(device) if (name := _name(pid))] if device else []


def name_holders(path: str) -> str:
    """Return the holders of the node at `path` for a message: 'firefox (pid 12)', or 'another program'."""
    return ", ".join(list_holders(path)) or "another program"


def find_holders(device: int) -> list[int]:
    """Return the process numbers, in order, of the other processes that hold `device` (an st_rdev) open."""
    try:
        pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:  # a container without /proc
        return []
    return [pid for pid in pids if pid != os.getpid() and _holds(pid, device)]


def _holds(pid: int, device: int) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        return any(_device_number(f"{folder}/{fd}") == device for fd in os.listdir(folder))
    except OSError:  # another user's, or it has just ended
        return False


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # it has just ended
        return ""


def _device_number(path: str) -> int:
    """The device behind a node or an open file; 0 for what is no device."""
    try:
        return os.stat(path).st_rdev
    except OSError:  # closed or removed meanwhile, or not ours to see
        return 0
