"""What this machine needs to run the lab."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

BUILD = ("gcc", "make", "flex", "bison", "bc", "xz-utils", "kmod", "libc6-dev", "patch")
PLAY = ("v4l-utils", "ffmpeg")  # the browsers' scenarios check for themselves
ROOM_GB = 4  # for unpacked and built sources, removed afterwards


def missing() -> str | None:
    """Return why the lab cannot run here; None if it can."""
    if os.geteuid() != 0:
        return "it needs root, since the guest reads the machine's files as root. Run: sudo make lab"
    if not Path("/etc/debian_version").is_file() or shutil.which("apt-get") is None:
        return "it is built from Debian's packages, and this is not Debian"
    if platform.machine() != "x86_64":
        return f"user-mode Linux runs on x86_64, and this is {platform.machine()}"
    absent = [name for name in (*BUILD, *PLAY) if not _is_installed(name)]
    if absent:
        return f"packages are missing. Run: apt-get install {' '.join(absent)}"
    return None


def _is_installed(package: str) -> bool:
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True, check=False
    )
    return query.stdout.endswith("ok installed")
