"""How each distribution installs v4l2loopback: commands for root, in order."""

from __future__ import annotations

import shlex

from camdaemon.system.machine import Machine

Command = tuple[str, ...]

_FUSION = "https://mirrors.rpmfusion.org/free/fedora/rpmfusion-free-release-{version}.noarch.rpm"


def install_commands(machine: Machine) -> list[Command]:
    """Return the commands that install the module; none for an unknown distribution."""
    system = read_os_release(machine)
    family = {system.get("ID", ""), *system.get("ID_LIKE", "").split()}
    kernel = machine.kernel
    if family & {"debian", "ubuntu"}:
        return [("apt", "install", "v4l2loopback-dkms", "v4l2loopback-utils", f"linux-headers-{kernel}")]
    if "fedora" in family:
        fusion = [("dnf", "install", _FUSION.format(version=system.get("VERSION_ID", "")))]
        has_fusion = machine.exists("/etc/yum.repos.d/rpmfusion-free.repo")
        return [
            *([] if has_fusion else fusion),
            ("dnf", "install", "akmod-v4l2loopback", "v4l2loopback", f"kernel-devel-{kernel}"),
            ("akmods", "--force", "--kernels", kernel),
        ]
    if "arch" in family:
        return [("pacman", "-S", "--needed", "v4l2loopback-dkms", "v4l2loopback-utils", _arch_headers(kernel))]
    if family & {"suse", "opensuse"}:
        return [("zypper", "install", "v4l2loopback-kmp-default", "v4l2loopback-utils")]
    return []


def rebuild_commands(machine: Machine) -> list[Command]:
    """Return the commands for a module that is installed, but not built for the running kernel."""
    commands = install_commands(machine)
    return [*commands, ("dkms", "autoinstall")] if machine.has("dkms") else commands


def to_shell(commands: list[Command]) -> str:
    """Return the commands as the user types them, on one line; advice in words when there are none."""
    return " && ".join(f"sudo {shlex.join(command)}" for command in commands) or (
        "install the package v4l2loopback with your package manager"
    )


def read_os_release(machine: Machine) -> dict[str, str]:
    """Return the fields of /etc/os-release, see os-release(5)."""
    text = machine.text("/etc/os-release") or machine.text("/usr/lib/os-release") or ""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _arch_headers(kernel: str) -> str:
    flavour = next((name for name in ("lts", "zen", "hardened", "rt") if kernel.endswith(f"-{name}")), "")
    return f"linux-{flavour}-headers" if flavour else "linux-headers"
