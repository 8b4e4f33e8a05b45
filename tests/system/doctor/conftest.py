"""The same machine in a folder as the tests of setup have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from camdaemon.config.schema import Config
from camdaemon.linux.programs import CommandResult
from camdaemon.system.doctor.examine import CHECKS, run_checks
from camdaemon.system.doctor.findings import Context, Finding
from tests.system.fake_machine import FakeMachine
from tests.system.fake_pipewire import LOOPBACK, FakePipeWire


@pytest.fixture
def fake(tmp_path: Path) -> FakeMachine:
    """A fresh Debian 12 with nothing installed."""
    machine = FakeMachine(tmp_path / "machine")
    machine.says_torch()
    return machine


@pytest.fixture
def well(fake: FakeMachine) -> FakeMachine:
    """A machine on which everything is as it should be."""
    fake.build()
    fake.load()
    fake.install_ctl()
    fake.answers["v4l2loopback-ctl query"] = CommandResult(0, "\tmax_openers      : 10\n\tmax_buffers      : 4\n")
    fake.put("/etc/modules-load.d/camdaemon.conf", "# ours\nv4l2loopback\n")
    fake.camera()
    fake.controls[("/dev/video10", 0x0098F900)] = 0
    fake.controls[("/dev/video0", 0x009A0903)] = 0
    fake.put("/sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n")
    fake.put("/sys/bus/pci/devices/0000:01:00.0/class", "0x030000\n")
    fake.put("/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan\n")
    fake.environ["WAYLAND_DISPLAY"] = "wayland-0"
    fake.answers["busctl --user get-property"] = CommandResult(0, "u 1\n")
    FakePipeWire(fake, LOOPBACK)
    fake.made(groups={"video"})
    return fake


@pytest.fixture
def look(fake: FakeMachine) -> Callable[..., list[Finding]]:
    """look('module', 'virtual', …): what these checks find; none named: all but our own things, which are real."""

    def looked(*names: str, camera: str = "/dev/video0", **more: Any) -> list[Finding]:
        settings = {name: more.pop(name) for name in list(more) if name in Config.model_fields}
        context = Context(fake.machine, Config(**settings), camera, **more)
        wanted = names or tuple(name for name in CHECKS if name != "camdaemon")
        return list(run_checks(context, {name: CHECKS[name] for name in wanted}))

    return looked
