"""Secure Boot: does this kernel refuse modules that nobody signed, and was ours?"""

from __future__ import annotations

from collections.abc import Iterator

from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem
from camdaemon.system.setup.loopback import NAME, module
from camdaemon.system.setup.machine import Machine

_VARIABLE = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# Where distributions keep the key that they sign this machine's own modules with.
_KEYS = ("/var/lib/shim-signed/mok/MOK.der", "/etc/pki/akmods/certs/public_key.der", "/var/lib/dkms/mok.pub")
_ENROLL = "restart, choose 'Enroll MOK' and type that password, then: camdaemon setup"


def check(context: Context) -> Iterator[Finding]:
    machine = context.machine
    on = is_on(machine)
    known = module(machine)
    if on is None:
        yield note("secureboot", "it cannot be seen whether Secure Boot is on", "mokutil --sb-state")
    elif not on:
        yield ok("secureboot", "Secure Boot is off; modules need no signature")
    elif known.loaded:
        yield ok("secureboot", f"Secure Boot is on, and the kernel has accepted {NAME}")
    elif known.installed:
        yield _why_refused(machine)
    else:
        yield note(
            "secureboot", f"Secure Boot is on: once {NAME} is installed, its key has to be enrolled at a restart"
        )


def is_on(machine: Machine) -> bool | None:
    """None where it cannot be known. The variable is four bytes of attributes, then 0 or 1."""
    if not machine.exists("/sys/firmware/efi"):
        return False  # started by a BIOS, or no machine of its own
    value = machine.text(_VARIABLE)
    if value:
        return value[-1] == "\x01"
    said = machine.ask(["mokutil", "--sb-state"]).out.lower()
    return "enabled" in said if "secureboot" in said.replace(" ", "") else None


def _why_refused(machine: Machine) -> Finding:
    key = next((key for key in _KEYS if machine.exists(key)), _KEYS[-1])
    enroll = f"sudo mokutil --import {key}, {_ENROLL}"
    if not machine.ask(["modinfo", "-F", "signer", NAME]).out.strip():
        return problem(
            "secureboot",
            f"Secure Boot is on and {NAME} is not signed, so the kernel will refuse it",
            f"sign it (DKMS and akmods do when they build it), then: {enroll}",
        )
    said = machine.ask(["mokutil", "--test-key", key])
    if "is not enrolled" in said.out + said.err:
        return problem("secureboot", f"Secure Boot is on and does not know the key that signed {NAME}", enroll)
    return note(
        "secureboot",
        f"Secure Boot is on and {NAME} is signed; if modprobe says that the key was rejected, it is not enrolled",
        enroll,
    )
