"""Whether this machine can run the lab, and what it lacks."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

BUILD = ("gcc", "make", "flex", "bison", "bc", "xz-utils", "kmod", "libc6-dev", "patch")
PLAY = ("v4l-utils", "ffmpeg")  # the browsers' scenarios say themselves when there is none
ROOM_GB = 4  # unpacked and built sources, removed afterwards


def missing() -> str | None:
    """Why the lab cannot run here, as one sentence for people; None when it can."""
    if os.geteuid() != 0:
        return "it needs root, to see the machine's files as the guest's root does; try: sudo make lab"
    if not Path("/etc/debian_version").is_file() or shutil.which("apt-get") is None:
        return "it is built from Debian's packages, and this is no Debian"
    if platform.machine() != "x86_64":
        return f"user-mode Linux runs on x86_64, and this is {platform.machine()}"
    absent = [name for name in (*BUILD, *PLAY) if not _installed(name)]
    if absent:
        return f"packages are missing; type: apt-get install {' '.join(absent)}"
    return None


def _installed(package: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True, check=False
    )
    return asked.stdout.endswith("ok installed")
