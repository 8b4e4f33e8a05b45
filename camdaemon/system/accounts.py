"""Who may use a video node: members of the group video, and the user at the screen (udev's uaccess)."""

from __future__ import annotations

import struct

from camdaemon.system.machine import Machine

GROUP = "video"
_ENTRY = struct.Struct("<HHI")  # of a POSIX ACL: tag, permissions, uid or gid; after 4 bytes of version
_NAMED_USER, _READ_WRITE = 0x02, 0x06
_RULE_FOLDERS = ("/usr/lib/udev/rules.d", "/lib/udev/rules.d")


def group_exists(machine: Machine) -> bool:
    """Whether the machine has a group video."""
    return _members(machine) is not None


def is_member(machine: Machine) -> bool:
    """Whether the user belongs to the group, now or after the next login."""
    return GROUP in machine.groups or machine.user in (_members(machine) or ())


def must_log_in_again(machine: Machine) -> bool:
    """Whether the user was put into the group after this session began."""
    return machine.uid != 0 and GROUP not in machine.groups and machine.user in (_members(machine) or ())


def has_seat_access(machine: Machine) -> bool:
    """Whether udev lets the user at the screen use video nodes here, and this user is that one.

    The ACL of a node proves it. Where there is no node yet, systemd's rule and a desktop are taken as a sign.
    """
    nodes = [f"/dev/{name}" for name in machine.names("/dev", "video[0-9]*")]
    uid = _uid(machine)
    if nodes:
        return any(uid in parse_access_list(machine.read_access_list(node)) for node in nodes)
    has_rule = any(machine.exists(f"{folder}/70-uaccess.rules") for folder in _RULE_FOLDERS)
    return has_rule and any(machine.environ.get(name) for name in ("XDG_SEAT", "WAYLAND_DISPLAY", "DISPLAY"))


def parse_access_list(access_list: bytes) -> set[int]:
    """Return the uids that a POSIX ACL gives the right to read and write; see acl(5)."""
    entries = access_list[4:]
    whole = len(entries) // _ENTRY.size * _ENTRY.size
    return {
        who
        for tag, rights, who in _ENTRY.iter_unpack(entries[:whole])
        if tag == _NAMED_USER and rights & _READ_WRITE == _READ_WRITE
    }


def _uid(machine: Machine) -> int:
    for line in (machine.text("/etc/passwd") or "").splitlines():
        name, *fields = line.split(":")
        if name == machine.user and len(fields) > 1 and fields[1].isdigit():
            return int(fields[1])
    return machine.uid


def _members(machine: Machine) -> set[str] | None:
    """The members of the group video; None where the machine has no such group."""
    for line in (machine.text("/etc/group") or "").splitlines():
        name, *fields = line.split(":")
        if name == GROUP and len(fields) == 3:
            return set(fields[2].split(","))
    return None
