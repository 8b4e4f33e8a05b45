"""Is v4l2loopback there, for this kernel and the next, loaded, permanent, and free of known faults?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from camdaemon.system.doctor.findings import Context, Finding, lack_module, note, ok, problem
from camdaemon.system.loopback import NAME, Module, Version, find_module, parse_version
from camdaemon.system.machine import Machine
from camdaemon.system.setup import packages

_LOAD_FOLDERS = ("/etc/modules-load.d", "/run/modules-load.d", "/usr/lib/modules-load.d", "/lib/modules-load.d")
_BUILDS_BELOW = (6, 8)  # from this kernel on 0.12.7 as released does not build
_NEWER = f"install a newer {NAME}"


class _Fault(NamedTuple):
    since: Version
    fixed_in: Version
    from_kernel: Version
    is_grave: bool
    says: str
    fix: str


_FAULTS = (
    _Fault((0, 14), (0, 14, 1), (), False, "breaks OBS's own virtual camera (not ours)", f"{_NEWER}, 0.15 or later"),
    _Fault((0, 15), (0, 15, 2), (), False, "can use memory after it is freed", f"{_NEWER}, 0.15.2 or later"),
    _Fault((0, 15), (0, 15, 3), (6, 18), True, "can crash kernels from 6.18 on", f"{_NEWER}, 0.15.3 or later"),
)


def check(context: Context) -> Iterator[Finding]:
    """Yield whether the module is loaded, at every start too, and its known faults."""
    machine = context.machine
    module = find_module(machine)
    if module.is_loaded:
        yield ok("module", f"{_name(module)} is loaded")
        yield from _check_faults(machine, module)
        yield from _check_restart(machine, module)
    elif module.is_installed:
        yield lack_module(context, "module", f"{_name(module)} is installed but not loaded", "camdaemon setup")
        yield from _check_faults(machine, module)
    else:
        yield lack_module(context, "module", *_explain_missing(machine, module))


def _name(module: Module) -> str:
    if module.version:
        return f"{NAME} {module.version}"
    return f"{NAME} 0.12 or older" if module.is_loaded else NAME  # newer ones tell their version


def _explain_missing(machine: Machine, module: Module) -> tuple[str, str]:
    """Why the running kernel has no module, and the fix."""
    kernel = machine.kernel
    rebuild = packages.to_shell(packages.rebuild_commands(machine))
    if (0, 12) <= module.number < (0, 13) and parse_version(kernel) >= _BUILDS_BELOW:
        says = (
            f"{NAME} {module.version} is installed, but not for the running kernel ({kernel}); as released, it does "
            "not build on 6.8 and later"
        )
        return says, _newer_package(machine)
    if module.built_for:
        headers = "" if machine.exists(f"/lib/modules/{kernel}/build") else ", whose headers are missing"
        return (
            f"{NAME} is built for {', '.join(module.built_for)}, not for the running kernel ({kernel}){headers}",
            rebuild,
        )
    if state := _dkms_state(machine):
        return f"{NAME} is not built for this kernel ({kernel}); DKMS says: {state}", rebuild
    install = packages.to_shell(packages.install_commands(machine))
    return f"{NAME} is not installed", f"{install}, then: camdaemon setup"


def _newer_package(machine: Machine) -> str:
    system = packages.read_os_release(machine)
    if system.get("ID") == "debian" and system.get("VERSION_CODENAME"):
        return f"sudo apt install -t {system['VERSION_CODENAME']}-backports v4l2loopback-dkms (needs that source)"
    return f"{_NEWER}, 0.13 or later, from https://github.com/v4l2loopback/v4l2loopback"


def _dkms_state(machine: Machine) -> str:
    """The last line that DKMS prints about the module, or ''."""
    if not machine.has("dkms"):
        return ""
    lines = [line.strip() for line in machine.ask(["dkms", "status", "-m", NAME]).out.splitlines() if NAME in line]
    return lines[-1] if lines else ""


def _check_faults(machine: Machine, module: Module) -> Iterator[Finding]:
    kernel = parse_version(machine.kernel)
    for fault in _FAULTS:
        if module.number and fault.since <= module.number < fault.fixed_in and kernel >= fault.from_kernel:
            yield (problem if fault.is_grave else note)("module", f"{_name(module)} {fault.says}", fault.fix)
    if module.is_loaded and module.number < (0, 13):
        yield note(
            "module", "this version cannot add devices while loaded; viewers are inferred from who has the device open"
        )


def _check_restart(machine: Machine, module: Module) -> Iterator[Finding]:
    if not module.is_installed:
        yield note(
            "restart",
            f"{NAME} is loaded, but modprobe does not find it for this kernel; after a restart it may be gone",
            "sudo depmod",
        )
    running = _release_key(machine.kernel)
    newer = [
        release
        for release in machine.names("/lib/modules")
        if _release_key(release) > running
        and release not in module.built_for
        and machine.exists(f"/lib/modules/{release}/modules.dep")
    ]
    if newer and module.is_installed:
        yield note(
            "restart",
            f"the kernel {newer[-1]} is installed too and has no {NAME} yet",
            f"sudo dkms autoinstall -k {newer[-1]}",
        )
    if _is_loaded_at_start(machine):
        yield ok("restart", "the module is loaded at every start of the machine")
    else:
        yield note("restart", "the module is not loaded at the start of the machine", "camdaemon setup")


def _is_loaded_at_start(machine: Machine) -> bool:
    files = ["/etc/modules", *(f"{folder}/{name}" for folder in _LOAD_FOLDERS for name in machine.names(folder))]
    return any(re.search(rf"^\s*{NAME}\s*$", machine.text(path) or "", re.MULTILINE) for path in files)


def _release_key(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release.partition("+")[0])]
