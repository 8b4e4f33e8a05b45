"""`python tests/benchmarks/truth.py`: whether panel and status say what is published, beside eight busy loops.

A daemon of its own writes to a sink that notes what each frame is and when it was written. Panel and status are read
meanwhile, and card and pause are switched. Every time is the daemon's own stamp (monotonic seconds). Not part of
`make test`: it loads the machine on purpose.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.control.client import Client
from camdaemon.errors import CamdaemonError

_STALE_S = 1.0  # after so long without news the page says that it knows nothing
_MATCHES = {"unsteady": {"live", "card"}}  # what a word may stand for; every other one for itself alone

_DAEMON = """
import sys, time
from pathlib import Path
from camdaemon.config import schema
from camdaemon.daemon import opening, run
from camdaemon.frames.frame import Content, PixelFormat

class Sink:
    name, fmt, live, can_reopen, viewers = "noted", PixelFormat.I420, True, False, ()
    def __init__(self, size, file): self.size, self._file = size, file
    def write(self, frame):
        kind = {Content.CARD: "card", Content.ROOM: "passthrough"}.get(frame.content, "live")
        print(f"{time.monotonic():.4f} {'paused' if frame.is_frozen else kind}", file=self._file, flush=True)
    def close(self): self._file.close()

noted = open(sys.argv[2], "w")
opening.open_sink = lambda spec, size, fps, paced: Sink(size, noted)
run.run(schema.load(Path(sys.argv[1]), {}), opening.Playing())
"""
_CONFIG = """
source = "pattern"
size = "{size}"
matting = "{matting}"
plate = "auto"
backdrop = "color:#102030"
hotkeys = false
"""


class Word(NamedTuple):
    """What was published or said, and when, in monotonic seconds."""

    at: float
    state: str


def longest_disagreement(published: Sequence[Word], said: Sequence[Word], good_for_s: float) -> float:
    """Return the longest time, in seconds, for which what was said was not what was published.

    Args:
        published: Each written frame, in order.
        said: What a surface said, in order; each holds until the next, but no longer than `good_for_s`. 0: it is an
            answer, and counts for how long another thing had been published before it.
    """
    times, longest = [word.at for word in published], 0.0
    spans = [(word, min(later.at, word.at + good_for_s)) for word, later in pairwise(said)]
    for word, end in spans:
        matching = _MATCHES.get(word.state, {word.state})
        index, since = bisect_right(times, word.at) - 1, None
        while index >= 0 and published[index].state not in matching:
            since, index = times[index], index - 1
        wrong_from = since
        for frame in published[bisect_right(times, word.at) :]:
            if frame.at > end:
                break
            if frame.state in matching:
                wrong_from, longest = None, max(longest, 0.0 if wrong_from is None else frame.at - wrong_from)
            elif wrong_from is None:
                wrong_from = frame.at
        if wrong_from is not None:
            longest = max(longest, end - wrong_from)
    return longest


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Have `loops` processes compute for nothing inside the context."""
    with ExitStack() as ending:
        for _ in range(loops):
            process = ending.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            ending.callback(process.kill)
        yield


@contextmanager
def running(folder: Path, size: str, matting: str) -> Iterator[Client]:
    """Run a daemon in `folder`; its frames are noted there in 'published'."""
    (folder / "config.toml").write_text(_CONFIG.format(size=size, matting=matting))
    (folder / "run").mkdir(mode=0o700)
    known = os.environ | {"CAMDAEMON_SOCKET": str(folder / "run" / "c.sock"), "PYTHONPATH": ":".join(sys.path)}
    known |= {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CONFIG", "STATE", "DATA", "CACHE")}
    arguments = [sys.executable, "-c", _DAEMON, str(folder / "config.toml"), str(folder / "published")]
    with (folder / "log").open("w") as log, subprocess.Popen(arguments, env=known, stderr=log) as process:
        try:
            client = Client(folder / "run" / "c.sock")
            _wait_for_picture(client, process)
            yield client
        finally:
            process.terminate()


def _wait_for_picture(client: Client, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if client.status()["seen"]["state"] == "live":
                return
        except CamdaemonError:
            pass  # it has not begun to listen
        time.sleep(0.2)
    raise SystemExit("the daemon ended before it showed anything")


def ask_status(client: Client, said: list[Word], stop: threading.Event) -> None:
    """Ask for the status ten times a second. Body of a thread."""
    while not stop.wait(0.1):
        said.append(_word(client.status()))


def read_panel(address: str, said: list[Word], stop: threading.Event) -> None:
    """Read what the panel's page is told. Body of a thread."""
    import httpx

    base = address.partition("/open")[0]
    with httpx.Client(base_url=base, headers={"Origin": base, "Panel-Page": "truth"}, timeout=60) as browser:
        key = re.search(r'name="session" content="([\w-]+)"', browser.get(address).text)
        browser.headers["Authorization"] = f"Bearer {key[1] if key else ''}"
        with browser.stream("GET", "/events") as events:
            for line in events.iter_lines():
                if line.startswith("data: {") and '"seen"' in line:
                    said.append(_word(json.loads(line.removeprefix("data: "))))
                if stop.is_set():
                    return


def _word(status: dict[str, Any]) -> Word:
    return Word(status["seen"]["at"], status["seen"]["state"])


def switch(client: Client, seconds: float) -> list[float]:
    """Switch card and pause for `seconds`; return how long each answer took."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        for command, turn in (("card", "on"), ("card", "off"), ("pause", "on"), ("pause", "off")):
            began = time.monotonic()
            try:
                getattr(client, command)(turn)
            except CamdaemonError as exc:
                print(exc)
            took.append(time.monotonic() - began)
            time.sleep(1.0)
    return sorted(took)


def main(
    seconds: Annotated[float, typer.Option(min=5, help="Length in seconds.")] = 40.0,
    loops: Annotated[int, typer.Option(min=0, help="Busy loops beside the daemon.")] = 8,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels.")] = "1280x720",
    matting: Annotated[str, typer.Option(help="bgmv2 or difference.")] = "bgmv2",
) -> None:
    """Measure for how long panel and status said what was not so. Exit code 1: for more than a second."""
    status: list[Word] = []
    panel: list[Word] = []
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as name, running(Path(name), size, matting) as client, busy(loops):
        readers = [
            threading.Thread(target=ask_status, args=(client, status, stop), daemon=True),
            threading.Thread(target=read_panel, args=(client.panel(), panel, stop), daemon=True),
        ]
        for reader in readers:
            reader.start()
        took = switch(client, seconds)
        stop.set()
        for reader in readers:
            reader.join(10)
        lines = (Path(name) / "published").read_text().splitlines()
    published = [Word(float(at), state) for at, _, state in (line.partition(" ") for line in lines)]
    worst = 0.0
    for surface, said, good_for_s in (("panel", panel, _STALE_S), ("status", status, 0.0)):
        unknown = sum(word.state == "unknown" for word in said)
        known = [word for word in said if word.state != "unknown"]
        longest = longest_disagreement(published, known, good_for_s)
        worst = max(worst, longest)
        print(f"{surface}: said {len(said)} times, {unknown} of them unknown; not so for {longest:.2f} s at most")
    states = {state: sum(word.state == state for word in published) for state in sorted({w.state for w in published})}
    print(f"published: {len(published)} frames, {states}")
    print(
        f"card and pause answered in {took[len(took) // 2]:.2f} s (median), {took[-1]:.2f} s (slowest of {len(took)})"
    )
    raise typer.Exit(int(worst > 1.0))


if __name__ == "__main__":
    typer.run(main)
