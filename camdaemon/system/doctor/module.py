"""Is v4l2loopback there, for this kernel and the next, loaded, kept, and of a version without known faults?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem
from camdaemon.system.setup import packages
from camdaemon.system.setup.loopback import NAME, Module, Version, module, version_number
from camdaemon.system.setup.machine import Machine

_LOAD_FOLDERS = ("/etc/modules-load.d", "/run/modules-load.d", "/usr/lib/modules-load.d", "/lib/modules-load.d")
_BUILDS_UNTIL = (6, 8)  # the kernel where 0.12.7 as it was released stops to build

# From version, to below, from kernel, problem or note, what is wrong, what to do.
_NEWER = f"install a newer {NAME}"
_FAULTS: list[tuple[Version, Version, Version, bool, str, str]] = [
    ((0, 14), (0, 14, 1), (), False, "breaks OBS's own virtual camera (not ours)", f"{_NEWER}, 0.15 or later"),
    ((0, 15), (0, 15, 2), (), False, "can use memory that is freed already", f"{_NEWER}, 0.15.2 or later"),
    ((0, 15), (0, 15, 3), (6, 18), True, "can crash kernels from 6.18 on", f"{_NEWER}, 0.15.3 or later"),
]


def check(context: Context) -> Iterator[Finding]:
    machine = context.machine
    known = module(machine)
    if known.loaded:
        yield ok("module", f"{_named(known)} is loaded")
        yield from _faults(machine, known)
        yield from _after_a_restart(machine, known)
    elif known.installed:
        yield problem("module", f"{_named(known)} is installed and not loaded", "camdaemon setup")
        yield from _faults(machine, known)
    else:
        yield _not_built(machine, known)


def _named(known: Module) -> str:
    if known.version:
        return f"{NAME} {known.version}"
    return f"{NAME} 0.12 or older" if known.loaded else NAME  # what tells no version is that old


def _not_built(machine: Machine, known: Module) -> Finding:
    kernel = machine.kernel
    if (0, 12) <= known.number < (0, 13) and version_number(kernel) >= _BUILDS_UNTIL:
        return problem(
            "module",
            f"{NAME} {known.version} is there, but not for the kernel that runs ({kernel}); as it was released, it "
            "does not build on 6.8 and later",
            _newer_package(machine),
        )
    if known.built_for:
        headers = "" if machine.exists(f"/lib/modules/{kernel}/build") else ", whose headers are missing"
        return problem(
            "module",
            f"{NAME} is built for {', '.join(known.built_for)}, not for the kernel that runs ({kernel}){headers}",
            packages.by_hand(packages.rebuild_commands(machine)),
        )
    state = _dkms_state(machine)
    if state:
        return problem(
            "module",
            f"{NAME} is not built for this kernel ({kernel}); DKMS says: {state}",
            packages.by_hand(packages.rebuild_commands(machine)),
        )
    by_hand = packages.by_hand(packages.install_commands(machine))
    return problem("module", f"{NAME} is not installed", f"{by_hand}, then: camdaemon setup")


def _newer_package(machine: Machine) -> str:
    system = packages.os_release(machine)
    if system.get("ID") == "debian" and system.get("VERSION_CODENAME"):
        return f"sudo apt install -t {system['VERSION_CODENAME']}-backports v4l2loopback-dkms (needs that source)"
    return f"{_NEWER}, 0.13 or later, from https://github.com/v4l2loopback/v4l2loopback"


def _dkms_state(machine: Machine) -> str:
    """The last line that DKMS has about the module, '' without."""
    if not machine.has("dkms"):
        return ""
    lines = [line.strip() for line in machine.ask(["dkms", "status", "-m", NAME]).out.splitlines() if NAME in line]
    return lines[-1] if lines else ""


def _faults(machine: Machine, known: Module) -> Iterator[Finding]:
    kernel = version_number(machine.kernel)
    for since, until, on_kernel, grave, says, fix in _FAULTS:
        if known.number and since <= known.number < until and kernel >= on_kernel:
            yield (problem if grave else note)("module", f"{_named(known)} {says}", fix)
    if known.loaded and known.number < (0, 13):
        yield note(
            "module", "this version adds no device while it is loaded; who watches is inferred from who has it open"
        )


def _after_a_restart(machine: Machine, known: Module) -> Iterator[Finding]:
    if not known.installed:
        yield note(
            "restart",
            f"{NAME} is loaded, but modprobe does not find it for this kernel; after a restart it may be gone",
            "sudo depmod",
        )
    running = _parts(machine.kernel)
    newer = [
        release
        for release in machine.names("/lib/modules")
        if _parts(release) > running
        and release not in known.built_for
        and machine.exists(f"/lib/modules/{release}/modules.dep")
    ]
    if newer and known.installed:
        yield note(
            "restart",
            f"the kernel {newer[-1]} is installed too and has no {NAME} yet",
            f"sudo dkms autoinstall -k {newer[-1]}",
        )
    if _is_kept(machine):
        yield ok("restart", "the module is loaded at every start of the machine")
    else:
        yield note("restart", "the module is not loaded at the start of the machine", "camdaemon setup")


def _is_kept(machine: Machine) -> bool:
    files = ["/etc/modules", *(f"{folder}/{name}" for folder in _LOAD_FOLDERS for name in machine.names(folder))]
    return any(re.search(rf"^\s*{NAME}\s*$", machine.text(path) or "", re.MULTILINE) for path in files)


def _parts(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release.partition("+")[0])]
