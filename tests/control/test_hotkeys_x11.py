"""Real keys on a real X server: Xvfb, pressed by xdotool."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue

import pytest

BINDINGS = {
    "plate": "ctrl+alt+p",
    "scene my room": "super+F5",
    "next": "ctrl+shift+1",
    "previous": "alt+shift+m",
    "volume": "volumeup",
    "broken": "ctrl+alt+x",
    "last": "F9",
    "ready": "F8",
}
COMMANDS = ", ".join(f"camdaemon {action} ({keys})" for action, keys in BINDINGS.items())

PROGRAM = """
import json, logging, sys, threading, time
from camdaemon.control.hotkeys import Hotkeys
logging.basicConfig(level=logging.INFO, format="log %(levelname)s %(message)s", stream=sys.stdout)
def say(*words):  # in one piece, whichever threads speak
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()
def press(action):
    say("pressed", threading.current_thread().name, action)
    if action == "broken":
        raise RuntimeError("a bug")
keys = Hotkeys(json.loads(sys.argv[1]), press)
keys.start()
if "--raw" in sys.argv:
    from pynput import keyboard
    keyboard.Listener(on_press=lambda key: say("down", key)).start()
sys.stdin.readline()
begin = time.monotonic()
keys.stop()
left = [thread.name for thread in threading.enumerate() if thread.name == "hotkeys"]
say("stopped", time.monotonic() - begin < 60, left)
"""

TABLE = """
from camdaemon.config.keys import _KEYS, KeyCombination
from pynput.keyboard import HotKey
from Xlib import XK
for name in _KEYS:
    wanted = KeyCombination.parse("ctrl+super+" + name)
    *held, key = HotKey.parse(wanted.pynput)
    symbol = XK.string_to_keysym(_KEYS[name].xdg.replace("XF86", "XF86_"))
    assert [key.vk or ord(key.char), len(held)] == [symbol, 2], wanted
print(len(_KEYS))
"""

needs_x11 = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool") and importlib.util.find_spec("pynput")),
    reason="needs Xvfb, xdotool and pynput",
)


@contextmanager
def x_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """(DISPLAY, process): a free display, whose keys repeat soon."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "320x240x24", "-nolisten", "tcp", "-noreset"]
    repeat = ["-ardelay", "100", "-arinterval", "20"]
    with subprocess.Popen([*command, *repeat], pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        try:
            assert select.select([reading], [], [], 60)[0], "Xvfb does not start"
            yield f":{os.read(reading, 16).decode().strip()}", server
        finally:
            os.close(reading)
            server.terminate()


class Program:
    """PROGRAM in a process of its own: pynput chooses its display when it is imported."""

    def __init__(self, display: str, *arguments: str, ignored: str = "") -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("WAYLAND", "XDG_"))}
        self.display = display
        warnings = ["-W", "error", *(["-W", f"ignore::{ignored}"] if ignored else [])]
        self.process = subprocess.Popen(
            [sys.executable, *warnings, "-c", PROGRAM, json.dumps(BINDINGS), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment | {"DISPLAY": display},
        )
        self.lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self._reader.join()
        self.process.__exit__(None, None, None)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def keys(self, *what: str) -> None:
        """What xdotool would be told on the command line."""
        subprocess.run(["xdotool", *what], env=os.environ | {"DISPLAY": self.display}, check=True, timeout=60)

    def wait_until_it_listens(self) -> None:
        for _ in range(50):
            self.keys("key", "F8")
            try:
                while self.lines.get(timeout=0.2) != "pressed hotkeys ready":
                    pass
                return
            except Empty:
                pass
        raise AssertionError("it does not listen")

    def until(self, last: str) -> list[str]:
        """Every line up to `last`, but for echoes of the wait for it to listen."""
        lines: list[str] = []
        while not lines or lines[-1] != last:
            try:
                lines.append(self.lines.get(timeout=60))
            except Empty:
                raise AssertionError(f"no {last!r} after {lines}") from None
        return [line for line in lines if line != "pressed hotkeys ready"]

    def pressed(self, *combinations: str) -> list[str]:
        """The actions that pressing `combinations` led to."""
        self.keys("key", *combinations, "F9")
        return [line.removeprefix("pressed hotkeys ") for line in self.until("pressed hotkeys last")][:-1]

    def stop(self) -> list[str]:
        """Every line until it has ended."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.until("stopped True []")


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with x_server() as (name, _):
        yield name


@pytest.fixture(scope="module")
def program(display: str) -> Iterator[Program]:
    with Program(display) as running:
        running.wait_until_it_listens()
        yield running


@needs_x11
def test_pynput_and_x11_mean_the_same_keys(display: str) -> None:
    command = [sys.executable, "-c", TABLE]
    done = subprocess.run(
        command, env=os.environ | {"DISPLAY": display}, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 80


@needs_x11
def test_keys_pressed_anywhere_arrive(program: Program) -> None:
    assert program.pressed("ctrl+alt+p") == ["plate"]
    assert program.pressed("super+F5", "XF86AudioRaiseVolume", "ctrl+alt+p") == ["scene my room", "volume", "plate"]


@needs_x11
def test_keys_that_are_not_bound_do_nothing(program: Program) -> None:
    assert program.pressed("p", "ctrl+p", "alt+p", "ctrl+alt+o", "F5", "ctrl+alt+shift+p", "ctrl+alt+super+p") == []


@needs_x11
def test_either_side_and_any_order_of_the_modifiers(program: Program) -> None:
    assert program.pressed("Alt_R+Control_R+p") == ["plate"]
    assert program.pressed("alt+shift+m", "shift+alt+m") == ["previous", "previous"]


@needs_x11
def test_a_digit_with_shift_is_still_that_digit(program: Program) -> None:
    """Also the second time: xdotool lets shift go first, so it is the bare digit that comes up."""
    assert program.pressed("ctrl+shift+1", "shift+ctrl+1") == ["next", "next"]


@needs_x11
@pytest.mark.parametrize("lock", ["Num_Lock", "Caps_Lock"])
def test_a_lock_makes_no_difference(program: Program, lock: str) -> None:
    program.keys("key", lock)
    try:
        assert program.pressed("ctrl+alt+p", "alt+shift+m", "ctrl+p") == ["plate", "previous"]
    finally:
        program.keys("key", lock)


@needs_x11
def test_a_press_that_fails_is_logged_and_the_keys_go_on(program: Program) -> None:
    lines = program.pressed("ctrl+alt+x", "ctrl+alt+p")
    assert lines[0] == "broken"
    assert re.fullmatch("log ERROR .*failed.*broken.*", lines[1])
    assert lines[-2:] == ["RuntimeError: a bug", "plate"]


@needs_x11
def test_a_key_that_is_held_fires_once(display: str) -> None:
    with Program(display, "--raw") as program:
        program.wait_until_it_listens()
        program.keys("keydown", "ctrl", "keydown", "alt", "keydown", "p")
        lines = [line for _ in range(4) for line in program.until("down 'p'")]
        program.keys("keyup", "p", "keyup", "alt", "keyup", "ctrl")
        lines += program.pressed("ctrl+alt+p")
        assert lines.count("down 'p'") >= 4
        assert [line for line in lines if line.endswith("plate")] == ["pressed hotkeys plate", "plate"]


@needs_x11
@pytest.mark.skipif(not shutil.which("setxkbmap"), reason="needs setxkbmap")
@pytest.mark.parametrize("layout", ["fr", "ru"])
def test_on_other_keyboards_it_is_the_key_that_bears_the_sign(layout: str) -> None:
    """fr: digits are what shift gives, and a bare 1 is a &.   ru: no p at all, but on US keyboards it is key 33."""
    with x_server() as (display, _):
        subprocess.run(["setxkbmap", layout], env=os.environ | {"DISPLAY": display}, check=True, timeout=60)
        with Program(display) as program:
            program.wait_until_it_listens()
            assert program.pressed("ctrl+alt+33", "ctrl+shift+10") == ["plate", "next"]


@needs_x11
def test_it_says_what_is_bound_and_stops(display: str) -> None:
    with Program(display) as program:
        program.wait_until_it_listens()
        lines = program.stop()
        assert program.process.wait(60) == 0
    assert lines == ["stopped True []"]
    with Program(display) as program:
        bound = ", ".join(f"{keys} for {action}" for action, keys in BINDINGS.items())
        assert program.lines.get(timeout=60) == f"log INFO hotkeys: {bound}"
        assert program.stop() == ["stopped True []"]


@needs_x11
def test_an_x_server_that_goes_is_one_line() -> None:
    # pynput leaves its sockets to the garbage collector when the server goes.
    with x_server() as (display, server), Program(display, ignored="ResourceWarning") as program:
        program.wait_until_it_listens()
        server.kill()
        line = program.lines.get(timeout=60)
        assert re.fullmatch(r"log WARNING hotkeys lost.*no keys.*bound again.*", line)
        assert program.stop() == ["stopped True []"]


@needs_x11
def test_no_x_server_is_one_line() -> None:
    with Program(":54321") as program:
        line = program.lines.get(timeout=60)
        assert re.fullmatch(rf"log WARNING hotkeys.*pynput.*DISPLAY.*:54321\b.*{re.escape(COMMANDS)}", line)
        assert program.stop() == ["stopped True []"]
