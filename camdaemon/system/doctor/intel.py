"""Intel's GPU and NPU: may OpenVINO use them? It is asked in a process of its own, which a driver may end."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator

from camdaemon.linux.accelerators import find_intel
from camdaemon.matting.bgmv2.engines.device_notes import notes_file, read_skipped
from camdaemon.system.doctor.findings import Context, Finding, note, ok
from camdaemon.system.machine import Machine

PROBE = """
import json, sys
sys.modules["openvino_telemetry"] = None
import openvino
core = openvino.Core()
print(json.dumps({name: core.get_property(name, "FULL_DEVICE_NAME") for name in core.available_devices}))
"""

_DRIVERS = {
    "GPU": "install your distribution's package intel-opencl-icd (or intel-compute-runtime), then: camdaemon doctor",
    "NPU": "install Intel's NPU driver: https://github.com/intel/linux-npu-driver/releases, then: camdaemon doctor",
}


def check(context: Context) -> Iterator[Finding]:
    """Yield for each device of Intel's that is here whether the network may run on it. Needs OpenVINO installed."""
    machine = context.machine
    nodes = find_intel(machine.root)
    if not nodes:
        return
    answer = machine.ask([sys.executable, "-c", PROBE])
    try:
        available = dict(json.loads(answer.out.strip().splitlines()[-1]))
    except (ValueError, IndexError, TypeError):
        reason = (answer.err.strip().splitlines() or [f"exit code {answer.code}"])[-1]
        yield note("intel", f"OpenVINO does not list its devices: {reason}", "camdaemon run --engine torch")
        return
    for device, node in nodes.items():
        yield _check_device(machine, device, node, available)


def _check_device(machine: Machine, device: str, node: str, available: dict[str, str]) -> Finding:
    skipped = read_skipped()
    name = next((name for each, name in available.items() if each.partition(".")[0] == device), None)
    if device in skipped:
        says = f"Intel's {device} is left out for a week: {skipped[device]}"
        return note("intel", says, f"to try it again: rm {shlex.quote(str(notes_file()))}")
    if name is not None:
        return ok("intel", f"OpenVINO can use {name}; the network runs there if that is faster")
    if not machine.may_use(node):
        says = f"Intel's {device} is not used: you may not open {node}"
        return note("intel", says, f"sudo usermod -aG render {machine.user}, then log in again")
    return note("intel", f"Intel's {device} is not used: OpenVINO finds no driver for it", _DRIVERS[device])
