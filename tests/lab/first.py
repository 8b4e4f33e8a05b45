"""Process 1 of the guest: `first.py JOB.json` mounts the host's files under an overlay and runs the job's command.

The kernel runs it before anything is mounted, so it uses the standard library only and no module of the lab.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

_LAYER = "/mnt"  # a folder that every system has; hidden while the guest runs
_ROOT = f"{_LAYER}/root"
_POWER_OFF = 0x4321FEDC  # reboot(2)
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1  # netdevice(7)
_libc = ctypes.CDLL(None, use_errno=True)


def main(job_file: str) -> None:
    """Run the job, write its exit status to `rc` in its folder, and power off."""
    try:
        job = json.loads(Path(job_file).read_text())
        _mount_all(job)
        _write_status(job, _play(job))
    except Exception as exc:
        print(f"guest failed: {exc!r}", flush=True)
    finally:
        os.sync()
        _libc.reboot(_POWER_OFF)


def _mount_all(job: dict[str, Any]) -> None:
    _mount("tmpfs", _LAYER, "tmpfs", "size=4g")
    for name in ("upper", "work", "root"):
        os.mkdir(f"{_LAYER}/{name}")
    _mount("overlay", _ROOT, "overlay", f"lowerdir=/,upperdir={_LAYER}/upper,workdir={_LAYER}/work")
    for kind, where in (("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev"), ("tmpfs", "run")):
        _mount(kind, f"{_ROOT}/{where}", kind)
    for kind, where in (("tmpfs", "dev/shm"), ("devpts", "dev/pts")):
        os.makedirs(f"{_ROOT}/{where}", exist_ok=True)
        _mount(kind, f"{_ROOT}/{where}", kind)
    os.makedirs(f"{_ROOT}/lib/modules", exist_ok=True)
    _mount("none", f"{_ROOT}/lib/modules", "hostfs", job["modules"])
    _mount("none", _ROOT + job["share"], "hostfs", job["share"])
    os.chroot(_ROOT)
    os.chdir("/")
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        if not os.path.lexists(f"/dev/{name}"):
            os.symlink(target, f"/dev/{name}")


def _mount(source: str, target: str, kind: str, options: str = "") -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, f"mounting {kind}: {os.strerror(number)}", target)


def _play(job: dict[str, Any]) -> int:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **job["environment"]}
    for name in ("HOME", "XDG_RUNTIME_DIR"):
        os.makedirs(environment[name], mode=0o700, exist_ok=True)
    _raise_loopback()
    with open(job["log"], "ab") as log:
        child = subprocess.Popen(job["command"], env=environment, cwd=job["folder"], stdout=log, stderr=log)
        while True:  # process 1 inherits every orphan
            pid, status = os.wait()
            if pid == child.pid:
                return os.waitstatus_to_exitcode(status)


def _raise_loopback() -> None:
    """Bring up 127.0.0.1, which the browsers need."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _write_status(job: dict[str, Any], status: int) -> None:
    Path(job["share"], "rc").write_text(str(status))


if __name__ == "__main__":
    main(sys.argv[1])
