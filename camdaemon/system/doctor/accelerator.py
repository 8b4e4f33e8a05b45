"""torch and the GPU: does torch load, was it built for the GPU that is here, does the driver suffice?

torch is asked in a process of its own: a library that is missing, or a driver that hangs, must not end the doctor.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem
from camdaemon.system.setup.loopback import version_number
from camdaemon.system.setup.machine import Machine

PROBE = """
import importlib.util, json, warnings
warnings.simplefilter("ignore")
import torch
facts = {"version": torch.__version__, "cuda": torch.version.cuda, "hip": torch.version.hip}
facts |= {"available": torch.cuda.is_available(), "names": [], "why": ""}
facts["openvino"] = importlib.util.find_spec("openvino") is not None
if facts["available"]:
    count = torch.cuda.device_count()
    facts["names"] = [torch.cuda.get_device_name(index) for index in range(count)]
    facts["capability"] = torch.cuda.get_device_capability()
    facts["built_for"] = torch.cuda.get_arch_list()
elif facts["cuda"]:
    try:
        torch.cuda.init()
    except Exception as wrong:
        facts["why"] = str(wrong).partition("\\n")[0]
print(json.dumps(facts))
"""

# CUDA's major version → the oldest driver that runs it (NVIDIA's compatibility guide).
_DRIVERS = {11: (450, 80), 12: (525, 60), 13: (580,)}
_NVIDIA, _DISPLAY = "0x10de", "0x03"
_REINSTALL = f"{sys.executable} -m pip install --force-reinstall --index-url https://pypi.org/simple torch"
_SMALLER = "if it is too slow: camdaemon run --size 640x360"
_FASTER = f"faster with OpenVINO: {sys.executable} -m pip install openvino"


def check(context: Context) -> Iterator[Finding]:
    machine = context.machine
    facts = _torch(machine)
    if "error" in facts:
        yield problem("torch", f"torch does not load: {facts['error']}", _REINSTALL)
        return
    yield ok("torch", f"torch {facts['version']} loads, {_built_for(facts)}")
    if context.config.matting != "bgmv2" or context.config.device == "cpu":
        yield ok("gpu", "none is needed: the configuration asks for the CPU")
    elif facts["available"]:
        yield from _usable(facts)
    else:
        yield from _unusable(context, facts)


def _torch(machine: Machine) -> dict[str, Any]:
    """What the probe printed, or {'error': its last line}."""
    said = machine.ask([sys.executable, "-c", PROBE])
    try:
        facts = json.loads(said.out.strip().splitlines()[-1])
        return facts if isinstance(facts, dict) else {"error": said.out.strip()}
    except (ValueError, IndexError):
        lines = said.err.strip().splitlines()
        return {"error": lines[-1] if lines else f"it ended with code {said.code}"}


def _built_for(facts: dict[str, Any]) -> str:
    if facts["cuda"]:
        return f"built for CUDA {facts['cuda']}"
    return f"built for ROCm {facts['hip']}" if facts["hip"] else "built for the CPU alone"


def _usable(facts: dict[str, Any]) -> Iterator[Finding]:
    names = ", ".join(facts["names"]) or "a GPU"
    major, minor = facts.get("capability") or (0, 0)
    oldest = min((int(name[3:]) for name in facts.get("built_for", []) if re.fullmatch(r"sm_\d+", name)), default=0)
    if facts["cuda"] and major * 10 + minor < oldest:
        yield problem(
            "gpu",
            f"{names} (compute capability {major}.{minor}) is too old for this torch, which was built for "
            f"{oldest // 10}.{oldest % 10} and later",
            "camdaemon run --device cpu, or an older torch: https://pytorch.org/get-started/previous-versions",
        )
    else:
        yield ok("gpu", f"torch can use {names}")


def _unusable(context: Context, facts: dict[str, Any]) -> Iterator[Finding]:
    machine = context.machine
    driver = _driver(machine)
    if not driver and not _has_nvidia(machine):
        asked = context.config.device == "cuda"
        says = "no NVIDIA GPU is here, so the network runs on the CPU"
        help_ = _SMALLER if facts.get("openvino") else _FASTER
        yield problem("gpu", says, "camdaemon run --device auto") if asked else note("gpu", says, help_)
    elif not driver:
        yield problem("gpu", "an NVIDIA GPU is here, but its driver is not loaded", _driver_command(machine))
    elif not facts["cuda"]:
        yield problem(
            "gpu", f"an NVIDIA GPU is here (driver {driver}), but this torch was built without CUDA", _REINSTALL
        )
    elif version_number(driver) < _DRIVERS.get(int(facts["cuda"].partition(".")[0]), ()):
        yield problem(
            "gpu",
            f"the NVIDIA driver {driver} is too old for this torch, which was built for CUDA {facts['cuda']}",
            _driver_command(machine),
        )
    else:
        why = facts["why"] or "it does not say why"
        yield problem("gpu", f"torch cannot use the GPU (driver {driver}): {why}", "nvidia-smi; often a restart helps")


def _driver(machine: Machine) -> str:
    """The version of the loaded NVIDIA driver, '' without one."""
    text = machine.text("/proc/driver/nvidia/version") or ""
    found = re.search(r"(?:Kernel Module|Module for \S+)\s+(\d+(?:\.\d+)+)", text) or re.search(r"\d+(?:\.\d+)+", text)
    return (found[1] if found.groups() else found[0]) if found else ""


def _has_nvidia(machine: Machine) -> bool:
    folder = "/sys/bus/pci/devices"
    return any(
        (machine.text(f"{folder}/{name}/vendor") or "").strip() == _NVIDIA
        and (machine.text(f"{folder}/{name}/class") or "").startswith(_DISPLAY)
        for name in machine.names(folder)
    )


def _driver_command(machine: Machine) -> str:
    if machine.has("ubuntu-drivers"):
        return "sudo ubuntu-drivers install, then restart"
    return "install your distribution's newest NVIDIA driver, then restart"
