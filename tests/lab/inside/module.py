"""v4l2loopback and vivid in the guest: load and unload them, and query their nodes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from camdaemon.linux import v4l2
from camdaemon.linux.v4l2 import Capability

VIRTUAL, WEBCAM, SECOND, VIVID = "/dev/video10", "/dev/video11", "/dev/video12", "/dev/video20"
LABEL = "camdaemon"
_MODULE = os.environ.get("LAB_LOOPBACK", "")  # the module's file
VERSION = os.environ.get("LAB_VERSION", "")


def load(*, exclusive: bool = True) -> None:
    """Load v4l2loopback with the virtual camera, a second one, and the webcam that the feeder plays."""
    caps = "1,1,1" if exclusive else "0,1,1"
    run(
        "insmod",
        _MODULE,
        "devices=3",
        "video_nr=10,11,12",
        f"card_label={LABEL},webcam,second",
        f"exclusive_caps={caps}",
        "max_buffers=4",
    )


def unload() -> bool:
    """Unload v4l2loopback; return whether the kernel did, which it does not while a node is open."""
    return subprocess.run(["rmmod", "v4l2loopback"], capture_output=True, check=False).returncode == 0


def load_vivid() -> None:
    """Load vivid with one webcam."""
    run("modprobe", "vivid", "n_devs=1", "node_types=0x1", "num_inputs=1", "input_types=0", "vid_cap_nr=20")


def control(path: str, **values: int) -> None:
    """Set controls by their names in v4l2-ctl."""
    run("v4l2-ctl", "-d", path, "-c", ",".join(f"{name}={value}" for name, value in values.items()))


def capability(path: str) -> Capability:
    """Return what the node at `path` announces now."""
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return v4l2.query_capability(fd)
    finally:
        os.close(fd)


def nodes_of(pid: int) -> list[str]:
    """Return the video nodes that a process has open, once for each descriptor."""
    found = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except OSError:  # closed meanwhile
            continue
        if target.startswith("/dev/video"):
            found.append(target)
    return sorted(found)


def run(*words: str) -> None:
    """Run a command. Raises RuntimeError with its output if it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
