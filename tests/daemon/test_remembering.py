"""What is chosen in one run of the daemon holds in the next one, however the first one ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from camdaemon.config.editing import set_value
from camdaemon.config.schema import default_path
from camdaemon.control.client import Client
from camdaemon.control.memory import forget, state_file
from camdaemon.errors import ControlError

SMALL = ["--source", "pattern", "--sink", "null", "--loop", "--size", "320x180", "--matting", "difference"]
SMALL += ["--plate", "auto"]
LOOK = ("scene", "backdrop", "mirror", "crop", "edge", "blur")
PATIENCE_S = 60.0

pytestmark = pytest.mark.timeout(600)  # up to five daemons start, one after the other

# The daemon, with a sink that writes down what the picture was each time.
PROGRAM = """
import sys
from camdaemon.cli.app import app
from camdaemon.output.null import NullSink

path = sys.argv.pop()

def write(self, frame):
    with open(path, "a") as file:
        file.write(frame.content + "\\n")

NullSink.write = write
app()
"""


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


class Run:
    """One run of the daemon."""

    def __init__(self, process: subprocess.Popen[str], client: Client, log: Path, published: Path) -> None:
        self.process, self.client, self._log, self._published = process, client, log, published

    @property
    def look(self) -> dict[str, Any]:
        return {name: value for name, value in self.client.status().items() if name in LOOK}

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def published(self) -> set[str]:
        return set(self._published.read_text().split()) if self._published.exists() else set()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)


@pytest.fixture
def socket_file(tmp_path: Path) -> Path:
    return tmp_path / "run" / "c.sock"


@pytest.fixture
def start(tmp_path: Path, socket_file: Path) -> Callable[..., Any]:
    @contextmanager
    def started(*options: str) -> Iterator[Run]:
        log, published = tmp_path / "log", tmp_path / "published"
        published.unlink(missing_ok=True)
        command = [sys.executable, "-c", PROGRAM, "run", *SMALL, *options, str(published)]
        environment = os.environ | {"CAMDAEMON_SOCKET": str(socket_file)}
        with log.open("w") as file, subprocess.Popen(command, env=environment, stderr=file, text=True) as process:
            run = Run(process, Client(socket_file), log, published)

            def answers() -> bool:
                assert process.poll() is None, run.log
                try:
                    return bool(run.client.status())
                except ControlError:
                    return False

            try:
                wait(answers)
                yield run
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_S)
        assert process.returncode in (0, -signal.SIGKILL), run.log

    return started


def is_kept(condition: Callable[[dict[str, Any]], bool]) -> Callable[[], bool]:
    return lambda: state_file().exists() and condition(json.loads(state_file().read_text()))


def test_choices_come_back_after_a_kill_and_the_room_does_not(start: Callable[..., Any]) -> None:
    with start() as first:
        configured = first.look
        first.client.backdrop("blur:30")
        first.client.mirror("on")
        first.client.crop(0.2, 0.0, 0.6, 0.6)
        first.client.adjust(0.3, 2.0)
        chosen = first.look
        first.client.card("on")
        wait(is_kept(lambda kept: kept["card"] and len(kept["values"]) == 5))
        first.kill()
    with start() as second:
        assert second.client.status()["mode"] == "card"
        assert second.look == chosen
        wait(lambda: second.client.status()["counts"].get("published_composite", 0) == 0 and bool(second.published))
        assert second.published == {"card"}, "not one frame of it was anything else"
        assert "camdaemon card off" in second.log
        second.client.card("off")
        second.client.pause("on")
        second.client.backdrop("plate", True)
        wait(is_kept(lambda kept: not kept["card"] and kept["values"]["backdrop"]["value"] == "plate"))
        second.client.mode("passthrough")
        second.kill()
    with start() as third:
        status = third.client.status()
        assert (status["mode"], status["paused"]) == ("matte", False)
        assert third.look == chosen | {"backdrop": configured["backdrop"], "blur": 0.0}
        assert "camdaemon backdrop plate" in third.log
        assert "room" not in third.published
    with start("--fresh") as fourth:
        assert fourth.look == configured
    with start() as fifth:
        assert fifth.look == configured, "it is forgotten"


def test_the_command_line_the_configuration_and_the_choices_have_their_order(start: Callable[..., Any]) -> None:
    set_value(default_path(), "scenes.late.backdrop", "blur:40")
    set_value(default_path(), "scenes.late.mirror", "on")
    set_value(default_path(), "edge", "0.1")
    with start() as first:
        first.client.adjust(0.4, None)
        first.client.scene("late")
        late = {"scene": "late", "backdrop": "blur:40", "mirror": True, "crop": None, "edge": 0.1, "blur": 0.0}
        assert first.look == late, "the scene is complete"
        first.client.adjust(0.5, 3.0)
    with start("--backdrop", "color:#111111") as second:
        assert second.look == late | {"edge": 0.5, "blur": 3.0, "backdrop": "color:#111111"}
    set_value(default_path(), "edge", "0.2")  # as an editor would
    with start() as third:
        assert third.look == late | {"edge": 0.2, "blur": 3.0}
        third.client.adjust(0.6, None)
        third.client.backdrop("color:#222222")
        wait(is_kept(lambda kept: set(kept["values"]) == {"edge", "blur", "backdrop"}))
        set_value(default_path(), "edge", "0.2")
        forget("edge")  # both as `camdaemon config set` does
        third.client.reload()
        assert third.look == late | {"edge": 0.2, "blur": 3.0, "backdrop": "color:#222222"}
        third.client.reset()
        assert third.look == third.look | {"scene": None, "mirror": False, "edge": 0.2, "blur": 0.0}


@pytest.mark.parametrize("kind", ["fifo", "read-only"])
def test_a_state_that_cannot_be_used_is_one_line(start: Callable[..., Any], kind: str) -> None:
    state_file().parent.parent.mkdir(parents=True)
    if kind == "fifo":
        state_file().parent.mkdir()
        os.mkfifo(state_file())
    else:
        state_file().parent.write_text("a file in the way, which stops root as well")
    with start() as run:
        run.client.mirror("on")
        assert run.look["mirror"]
    assert run.log.count(str(state_file())) == (1 if kind == "fifo" else 2), "reading, and writing where it fails"
    assert "Traceback" not in run.log
