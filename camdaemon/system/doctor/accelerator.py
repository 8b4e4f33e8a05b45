"""What runs the network: is OpenVINO or torch there; does torch load, and was it built for the GPU that is here?

A CPU needs no torch. It is asked in a process of its own: a missing library or a hanging driver must not end this one.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from camdaemon.matting import find_matting
from camdaemon.system.doctor import intel
from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem
from camdaemon.system.loopback import parse_version
from camdaemon.system.machine import Machine

PROBE = """
import importlib.util, json, sys, warnings
warnings.simplefilter("ignore")
openvino = importlib.util.find_spec("openvino") is not None
if importlib.util.find_spec("torch") is None:
    sys.exit(print(json.dumps({"version": None, "openvino": openvino})))
import torch
facts = {"version": torch.__version__, "cuda": torch.version.cuda, "hip": torch.version.hip, "openvino": openvino}
facts |= {"available": torch.cuda.is_available(), "names": [], "why": ""}
if facts["available"]:
    count = torch.cuda.device_count()
    facts["names"] = [torch.cuda.get_device_name(index) for index in range(count)]
    facts["capability"] = torch.cuda.get_device_capability()
    facts["built_for"] = torch.cuda.get_arch_list()
elif facts["cuda"]:
    try:
        torch.cuda.init()
    except Exception as exc:
        facts["why"] = str(exc).partition("\\n")[0]
print(json.dumps(facts))
"""

# CUDA's major version → the oldest driver that runs it (NVIDIA's compatibility guide).
_DRIVERS = {11: (450, 80), 12: (525, 60), 13: (580,)}
_NVIDIA, _DISPLAY = "0x10de", "0x03"
_REINSTALL = f"{sys.executable} -m pip install --force-reinstall --index-url {{}} torch"
_WITH_CUDA = _REINSTALL.format("https://pypi.org/simple")
_FOR_CPU = _REINSTALL.format("https://download.pytorch.org/whl/cpu")  # a twentieth of the size
_SMALLER = "if it is too slow: camdaemon run --size 640x360"
_ADD_OPENVINO = f"{sys.executable} -m pip install openvino"
_FASTER = f"faster with OpenVINO: {_ADD_OPENVINO}"
_ADD_TORCH = f"{sys.executable} -m pip install torch safetensors"


def check(context: Context) -> Iterator[Finding]:
    """Yield what runs the network, and whether torch or OpenVINO can use the GPU that the configuration asks for."""
    facts = _probe_torch(context.machine)
    if "error" in facts:
        yield problem(
            "torch", f"torch does not load: {facts['error']}", _WITH_CUDA if _has_nvidia(context.machine) else _FOR_CPU
        )
        return
    yield _describe_torch(context, facts)
    config = context.config
    if not find_matting(config.matting).uses_weights:
        yield ok("gpu", "not needed: the configuration asks for the CPU")
        return
    if config.device == "cpu":
        yield ok("gpu", "not needed: the configuration asks for the CPU")
    elif facts.get("available"):
        yield _check_usable(facts)
        return
    elif facts["version"] is not None or not _has_nvidia(context.machine):
        yield _explain_unusable(context, facts)
    else:
        yield note("gpu", "there is an NVIDIA GPU, which the network runs on by torch", _ADD_TORCH)
    if facts.get("openvino") and config.engine == config.precision == "auto":
        yield from intel.check(context)


def _describe_torch(context: Context, facts: dict[str, Any]) -> Finding:
    """Say whether torch is there, and what there is without it."""
    if facts["version"] is not None:
        return ok("torch", f"torch {facts['version']} loads, {_describe_build(facts)}")
    if context.config.device == "cuda" or context.config.engine == "torch":
        asked = "--device cuda" if context.config.device == "cuda" else "--engine torch"
        return problem("torch", f"torch is not installed, and the configuration asks for {asked}", _ADD_TORCH)
    if not facts["openvino"]:
        return problem("torch", "neither OpenVINO nor torch is installed, so nothing runs the network", _ADD_OPENVINO)
    return ok("torch", "not installed and not needed: OpenVINO runs the network on the CPU")


def _probe_torch(machine: Machine) -> dict[str, Any]:
    """What the probe printed, or {'error': its last line}."""
    answer = machine.ask([sys.executable, "-c", PROBE])
    try:
        facts = json.loads(answer.out.strip().splitlines()[-1])
        return facts if isinstance(facts, dict) else {"error": answer.out.strip()}
    except (ValueError, IndexError):
        lines = answer.err.strip().splitlines()
        return {"error": lines[-1] if lines else f"exit code {answer.code}"}


def _describe_build(facts: dict[str, Any]) -> str:
    if facts["cuda"]:
        return f"built for CUDA {facts['cuda']}"
    return f"built for ROCm {facts['hip']}" if facts["hip"] else "built for the CPU only"


def _check_usable(facts: dict[str, Any]) -> Finding:
    names = ", ".join(facts["names"]) or "a GPU"
    major, minor = facts.get("capability") or (0, 0)
    oldest = min((int(name[3:]) for name in facts.get("built_for", []) if re.fullmatch(r"sm_\d+", name)), default=0)
    if facts["cuda"] and major * 10 + minor < oldest:
        return problem(
            "gpu",
            f"{names} (compute capability {major}.{minor}) is too old for this torch, which was built for "
            f"{oldest // 10}.{oldest % 10} and later",
            "camdaemon run --device cpu, or an older torch: https://pytorch.org/get-started/previous-versions",
        )
    return ok("gpu", f"torch can use {names}")


def _explain_unusable(context: Context, facts: dict[str, Any]) -> Finding:
    machine = context.machine
    driver = _driver_version(machine)
    if not driver and not _has_nvidia(machine):
        says = "there is no NVIDIA GPU, so the network runs on the CPU"
        if context.config.device == "cuda":
            return problem("gpu", says, "camdaemon run --device auto")
        return note("gpu", says, _SMALLER if facts.get("openvino") else _FASTER)
    if not driver:
        return problem("gpu", "there is an NVIDIA GPU, but its driver is not loaded", _driver_command(machine))
    if not facts.get("cuda"):
        says = f"there is an NVIDIA GPU (driver {driver}), but this torch was built without CUDA"
        return problem("gpu", says, _WITH_CUDA)
    if parse_version(driver) < _DRIVERS.get(int(facts["cuda"].partition(".")[0]), ()):
        says = f"the NVIDIA driver {driver} is too old for this torch, which was built for CUDA {facts['cuda']}"
        return problem("gpu", says, _driver_command(machine))
    why = facts["why"] or "no reason given"
    return problem("gpu", f"torch cannot use the GPU (driver {driver}): {why}", "nvidia-smi; often a restart helps")


def _driver_version(machine: Machine) -> str:
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
