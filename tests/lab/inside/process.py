"""The daemon under test, as its users start it: `camdaemon run …` in a process of its own."""

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

_COLOUR = "color:#" + "".join(f"{part:02x}" for part in BACKDROP)
Status = dict[str, Any]


class Daemon:
    """`camdaemon run` with the lab's devices. `options` are added, and come last.

    Its log goes to `log`. `ready`: wait until it answers (the virtual camera is a camera by then).
    """

    def __init__(self, log: Path, plate: Path | str, options: list[str], *, ready: bool = True) -> None:
        words = [sys.executable, "-m", "camdaemon", "run", "--source", module.WEBCAM, "--backdrop", _COLOUR]
        words += ["--size", "640x360", "--plate", str(plate), *options]
        if "--sink" not in options:
            words += ["--sink", module.VIRTUAL]
        if "--matting" not in options:
            words += ["--matting", "difference"]
        self._log, self._from = log, log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self._process = subprocess.Popen(words, stdout=out, stderr=out)
        self.pid = self._process.pid
        if ready:
            self.wait(lambda _: True, 40)

    def log(self) -> str:
        """What it has said so far."""
        with self._log.open("rb") as file:
            file.seek(self._from)
            return file.read().decode(errors="replace")

    def status(self) -> Status:
        """ControlError while it does not answer."""
        found: Status = Client().status()
        return found

    def counts(self) -> dict[str, int]:
        return dict(self.status()["counts"])

    def wait(self, fits: Callable[[Status], bool], seconds: float) -> Status:
        """Its status once it fits; AssertionError when it does not in time or the daemon ends."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self._process.returncode}: {self.log()[-500:]}")
            try:
                last = self.status()
            except ControlError:
                last = None
            if last is not None and fits(last):
                return last
            time.sleep(0.1)
        raise AssertionError(f"the daemon's status did not come about in {seconds:g} s; it is {last}")

    def ended(self, seconds: float) -> int:
        """Its exit status, waited for."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon had not ended after {seconds:g} s: {self.log()[-300:]}") from None

    def stop(self) -> int:
        """As `camdaemon stop` does; its exit status."""
        Client().stop()
        return self.ended(15)

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out. Harmless twice."""
        self._process.kill()
        self._process.wait()

    def nodes(self) -> list[str]:
        """The video nodes that it has open."""
        return module.nodes_of(self.pid)

    def cpu_s(self) -> float:
        """Seconds of processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """What it holds of the memory, MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))
