"""One guest: booted for one command, thrown away after it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from debian import LabError
from kernel import Build

_HERE = Path(__file__).parent
_MEMORY_MB = 3072
# A page fault costs the guest far more than a machine: memory that was once had is kept.
_KEEP_MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TOP_PAD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_MMAP_MAX_": "0",
}
_ENVIRONMENT = {
    "HOME": "/dev/shm/home",
    "XDG_RUNTIME_DIR": "/dev/shm/runtime",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    **_KEEP_MEMORY,
}


@dataclass(frozen=True, slots=True)
class Job:
    """What a guest is to do. share: the one folder that it can write to for good; its output lands in share/log.

    core: the core of this machine that it runs on (a guest that wanders from one to another is several times slower).
    """

    command: list[str]
    share: Path
    timeout: float
    core: int
    environment: dict[str, str]


def run(build: Build, job: Job) -> int:
    """Boot, do the job, power off; the command's exit status. LabError when the guest gave none in time."""
    for path in (sys.executable, _HERE, job.share):
        if " " in str(path):
            raise LabError(f"{path} has a space in its name, which a kernel's command line cannot carry; move it")
    written = job.share / "job.json"
    log = job.share / "log"
    environment = {**_ENVIRONMENT, **job.environment}
    plan = {"command": job.command, "share": str(job.share), "log": str(log), "folder": str(_HERE)}
    written.write_text(json.dumps({**plan, "modules": str(build.modules), "environment": environment}))
    status = job.share / "rc"
    status.unlink(missing_ok=True)
    # How to reach its console and where it keeps its own files while it runs; then what process 1 is given
    words = [str(build.linux), f"mem={_MEMORY_MB}M", f"uml_dir={job.share}/", "con=null", "con0=null,fd:1"]
    words += ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "loglevel=1", "panic=-1"]
    words += [f"init={sys.executable}", "--", "-I", str(_HERE / "first.py"), str(written)]
    in_time = _boot(words, job)
    if status.is_file():
        return int(status.read_text())
    raise LabError(_why_no_status((job.share / "console").read_text(errors="replace"), job.timeout, in_time))


def _why_no_status(told: str, timeout: float, in_time: bool) -> str:
    """For people, from what the console has: a guest whose own kernel crashed has not shown a fault of the daemon's."""
    _, panic, after = told.partition("Kernel panic")
    if panic:
        return f"the guest's own kernel crashed, which is no answer about camdaemon: {panic}{after[:900]}"
    what = "ended without an answer" if in_time else f"gave no answer in {timeout:g} s"
    return f"the guest {what}: {told[-600:].strip() or 'it said nothing'}"


def _place_for_memory() -> str:
    """Where the file that is the guest's memory lies: in ours if it may, which containers often forbid."""
    shared = os.statvfs("/dev/shm")
    roomy = shared.f_bavail * shared.f_frsize > 2 * _MEMORY_MB << 20
    return "/dev/shm" if roomy and not shared.f_flag & os.ST_NOEXEC else tempfile.gettempdir()


def _boot(words: list[str], job: Job) -> bool:
    """Whether it ended by itself in time; what it said is in the share's `console`."""
    with (job.share / "console").open("wb") as out:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={"PATH": os.environ.get("PATH", ""), "TMPDIR": _place_for_memory()},
            start_new_session=True,
        )
        try:
            os.sched_setaffinity(process.pid, {job.core})
            process.wait(job.timeout)
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):  # its processes are processes of this machine too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
