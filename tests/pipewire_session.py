"""A PipeWire of the test's own: a session bus, PipeWire and WirePlumber in a folder that goes with it.

WirePlumber keeps the policy that links streams, and does without what looks for sound cards and cameras, so that the
devices of the machine are left alone. Nothing needs udev, logind or a desktop.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TOOLS = ("dbus-daemon", "pipewire", "wireplumber", "pw-dump", "pw-cli", "gst-launch-1.0", "gst-inspect-1.0")
_PATIENCE_S = 60.0

# WirePlumber 0.4 reads Lua; 0.5 has profiles, of which "policy" leaves devices alone.
_OVERRIDES = {
    "main.lua.d": "for _, m in ipairs { alsa_monitor, v4l2_monitor, libcamera_monitor } do m.enabled = false end\n",
    "bluetooth.lua.d": "for _, m in ipairs { bluez_monitor, bluez_midi_monitor } do m.enabled = false end\n",
}
_INSTALLED = Path("/usr/share/wireplumber")

# Without service files: nothing of the machine's is started by being called, no portal and no store of permissions.
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"""


def require_pipewire() -> None:
    """Skip the test where a program that it needs is missing."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}")
    for element in ("pipewiresrc", "videotestsrc"):
        found = subprocess.run(["gst-inspect-1.0", element], capture_output=True, check=False)
        if found.returncode:
            pytest.skip(f"GStreamer has no {element}")


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until `condition()` is true and return what it is; fail if it does not become that."""
    end = time.monotonic() + _PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)
    return found


class PipeWireSession:
    """The programs, in `folder`, with the environment `environ` for others that are to use them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        bus = f"unix:path={folder}/bus"
        hidden = ("PIPEWIRE_RUNTIME_DIR", "PIPEWIRE_REMOTE", "DISPLAY", "WAYLAND_DISPLAY", "WIREPLUMBER_CONFIG_DIR")
        self.environ = {name: value for name, value in os.environ.items() if name not in hidden}
        self.environ |= {"XDG_RUNTIME_DIR": str(folder), "DBUS_SESSION_BUS_ADDRESS": bus}
        version = subprocess.run(["wireplumber", "--version"], capture_output=True, text=True, check=False).stdout
        numbers = re.search(r"libwireplumber (\d+)\.(\d+)", version)
        self._is_lua = numbers is not None and (int(numbers[1]), int(numbers[2])) < (0, 5)
        self.environ["XDG_STATE_HOME"] = str(folder / "state")
        if self._is_lua:
            shutil.copytree(_INSTALLED, folder / "wireplumber")
            for name, text in _OVERRIDES.items():
                (folder / "wireplumber" / name / "51-no-devices.lua").write_text(text)

    def start(self) -> None:
        """Start all of the programs."""
        configuration = self.folder / "bus.conf"
        configuration.write_text(_BUS.format(path=self.folder / "bus"))
        self._run("dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile")
        wait_until((self.folder / "bus").exists, "the bus is there")
        self.start_pipewire()
        self.start_wireplumber()

    def _run(self, *command: str, **environ: str) -> None:
        with (self.folder / f"{command[0]}.log").open("ab") as log:
            self._running[command[0]] = subprocess.Popen(command, env=self.environ | environ, stdout=log, stderr=log)

    def start_pipewire(self) -> None:
        """Start PipeWire and wait until it answers."""
        self._run("pipewire")
        wait_until(lambda: self.dump() is not None, "PipeWire answers")

    def start_wireplumber(self) -> None:
        """Start WirePlumber and wait until it manages the session: it has made the metadata for default nodes."""
        if self._is_lua:
            self._run("wireplumber", WIREPLUMBER_CONFIG_DIR=str(self.folder / "wireplumber"))
        else:
            self._run("wireplumber", "--profile", "policy")
        listing = ["pw-cli", "ls", "Metadata"]  # pw-dump leaves this one out
        wait_until(
            lambda: (
                '"default"'
                in subprocess.run(listing, env=self.environ, capture_output=True, text=True, check=False).stdout
            ),
            "WirePlumber manages the session",
        )

    def kill(self, program: str) -> None:
        """Kill a program of the session at once, as a crash would."""
        running = self._running.pop(program)
        running.kill()
        running.wait()

    def dump(self) -> list[dict[str, Any]] | None:
        """Return what pw-dump prints; None while PipeWire does not answer."""
        said = subprocess.run(["pw-dump"], env=self.environ, capture_output=True, check=False, timeout=_PATIENCE_S)
        try:
            objects: list[dict[str, Any]] = json.loads(said.stdout)
        except ValueError:
            return None
        return objects or None

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return what pw-dump says of each node, by the node's name."""
        found = [each["info"] for each in self.dump() or [] if each["type"] == "PipeWire:Interface:Node"]
        return {str(info["props"].get("node.name")): info for info in found}

    def close(self) -> None:
        """End all of the programs."""
        for running in reversed(self._running.values()):
            running.terminate()
        for running in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(10)
            running.kill()
            running.wait()


@contextlib.contextmanager
def start_session() -> Iterator[PipeWireSession]:
    """Run a session; its folder has a short name, because a socket's path has 107 characters at most."""
    require_pipewire()
    folder = Path(tempfile.mkdtemp(prefix="camdaemon-pw-"))
    session = PipeWireSession(folder)
    try:
        session.start()
        yield session
    finally:
        session.close()
        shutil.rmtree(folder, ignore_errors=True)
