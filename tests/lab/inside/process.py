"""The daemon under test, as users start it: `camdaemon run …`, a process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inside import module
from inside.judge import BACKDROP

from camdaemon.control.client import Client
from camdaemon.errors import ControlError


def as_user(user: int | None) -> dict[str, Any]:
    """Return what subprocess needs to run a program as that user, in a runtime folder of its own; None: as we are."""
    if user is None:
        return {}
    folders = {"XDG_RUNTIME_DIR": f"/run/user/{user}", "HOME": f"/dev/shm/home-{user}"}
    for folder in folders.values():
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o755)
            os.chown(folder, user, user)
            os.chmod(folder, 0o700)
    environment = os.environ | folders | {"CAMDAEMON_SOCKET": ""}
    return {"user": user, "group": user, "extra_groups": [], "env": environment, "cwd": "/"}


_COLOR = "color:#" + "".join(f"{part:02x}" for part in BACKDROP)
Status = dict[str, Any]


class Daemon:
    """A process of `camdaemon run` with the lab's devices."""

    def __init__(
        self, log: Path, plate: Path | str, options: list[str], *, ready: bool = True, user: int | None = None
    ) -> None:
        """Start it.

        Args:
            log: File that its log is appended to.
            plate: For --plate.
            options: Further options, last on the command line.
            ready: Wait until it answers; the virtual camera is a camera by then.
            user: Whose process it is; None: root's.
        """
        words = [sys.executable, "-m", "camdaemon", "run", "--source", module.WEBCAM, "--backdrop", _COLOR]
        words += ["--size", "640x360", "--plate", str(plate), *options]
        if "--sink" not in options:
            words += ["--sink", module.VIRTUAL]
        if "--matting" not in options:
            words += ["--matting", "difference"]
        self._log, self._from = log, log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self._process = subprocess.Popen(words, stdout=out, stderr=out, **as_user(user))
        self.pid = self._process.pid
        if ready:
            self.wait(lambda _: True, 40)

    def log(self) -> str:
        """Return its log so far."""
        with self._log.open("rb") as file:
            file.seek(self._from)
            return file.read().decode(errors="replace")

    def status(self) -> Status:
        """Return its status. Raises ControlError while it does not answer."""
        found: Status = Client().status()
        return found

    def counts(self) -> dict[str, int]:
        """Return the counts of its status."""
        return dict(self.status()["counts"])

    def wait(self, condition: Callable[[Status], bool], seconds: float) -> Status:
        """Wait for a status that meets `condition`. Raises AssertionError if none does in time, or the daemon ends."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self._process.returncode}: {self.log()[-500:]}")
            try:
                last = self.status()
            except ControlError:
                last = None
            if last is not None and condition(last):
                return last
            time.sleep(0.1)
        raise AssertionError(f"no such status in {seconds:g} s: it is {last}")

    def ended(self, seconds: float) -> int:
        """Wait for its end and return its exit status."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon had not ended after {seconds:g} s: {self.log()[-300:]}") from None

    def stop(self) -> int:
        """Stop it as `camdaemon stop` does and return its exit status."""
        Client().stop()
        return self.ended(15)

    def kill(self) -> None:
        """Send SIGKILL, as the kernel does when memory runs out. May be called twice."""
        self._process.kill()
        self._process.wait()

    def nodes(self) -> list[str]:
        """Return the video nodes that it has open."""
        return module.nodes_of(self.pid)

    def cpu_s(self) -> float:
        """Return the processor time that it has used, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Return its resident memory in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def descriptors(self) -> int:
        """Return the number of its open file descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self) -> int:
        """Return the number of its threads."""
        return len(os.listdir(f"/proc/{self.pid}/task"))
