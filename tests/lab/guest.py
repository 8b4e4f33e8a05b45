"""A guest: booted for one command and discarded afterwards."""

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
# Page faults are expensive in a guest: malloc keeps memory that it once had.
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
    """What a guest does.

    Attributes:
        command: Runs in the guest.
        share: The only folder whose changes persist; output goes to share/log.
        timeout: Seconds until the guest is ended.
        core: Processor core that the guest runs on; a guest that migrates is several times slower.
        environment: Added to the guest's environment.
    """

    command: list[str]
    share: Path
    timeout: float
    core: int
    environment: dict[str, str]


def run(build: Build, job: Job) -> int:
    """Boot, run the job, power off, and return the exit status. Raises LabError if there is none in time."""
    for path in (sys.executable, _HERE, job.share):
        if " " in str(path):
            raise LabError(f"{path} contains a space, which a kernel's command line cannot hold: move it")
    written = job.share / "job.json"
    log = job.share / "log"
    environment = {**_ENVIRONMENT, **job.environment}
    plan = {"command": job.command, "share": str(job.share), "log": str(log), "folder": str(_HERE)}
    written.write_text(json.dumps({**plan, "modules": str(build.modules), "environment": environment}))
    status = job.share / "rc"
    status.unlink(missing_ok=True)
    # The console, and where the guest keeps its own files while it runs; then the arguments of process 1
    words = [str(build.linux), f"mem={_MEMORY_MB}M", f"uml_dir={job.share}/", "con=null", "con0=null,fd:1"]
    words += ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "loglevel=1", "panic=-1"]
    words += [f"init={sys.executable}", "--", "-I", str(_HERE / "first.py"), str(written)]
    in_time = _boot(words, job)
    if status.is_file():
        return int(status.read_text())
    raise LabError(_explain((job.share / "console").read_text(errors="replace"), job.timeout, in_time))


def _explain(console: str, timeout: float, in_time: bool) -> str:
    """Explain a missing status by the console. A crash of the guest's kernel says nothing about the daemon."""
    _, panic, after = console.partition("Kernel panic")
    if panic:
        return f"the guest's own kernel crashed, which says nothing about camdaemon: {panic}{after[:900]}"
    what = "ended without a status" if in_time else f"gave no status in {timeout:g} s"
    return f"the guest {what}: {console[-600:].strip() or 'its console is empty'}"


def _choose_memory_folder() -> str:
    """Return the folder for the file that is the guest's memory: /dev/shm, unless a container forbids that."""
    shared = os.statvfs("/dev/shm")
    roomy = shared.f_bavail * shared.f_frsize > 2 * _MEMORY_MB << 20
    return "/dev/shm" if roomy and not shared.f_flag & os.ST_NOEXEC else tempfile.gettempdir()


def _boot(words: list[str], job: Job) -> bool:
    """Boot the guest, with its console in the share's `console`; return whether it ended by itself in time."""
    with (job.share / "console").open("wb") as out:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={"PATH": os.environ.get("PATH", ""), "TMPDIR": _choose_memory_folder()},
            start_new_session=True,
        )
        try:
            os.sched_setaffinity(process.pid, {job.core})
            process.wait(job.timeout)
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):  # its processes are processes of this machine, too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
