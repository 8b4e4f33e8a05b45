"""Will the kernel take the module under Secure Boot? PipeWire, which needs none, comes before keys and signatures."""

from __future__ import annotations

from collections.abc import Iterator

from camdaemon.system.doctor.findings import Context, Finding, lack_module, note, ok
from camdaemon.system.loopback import NAME, find_module, is_secure_boot_on

# Where distributions keep the key that they sign this machine's own modules with.
_KEYS = ("/var/lib/shim-signed/mok/MOK.der", "/etc/pki/akmods/certs/public_key.der", "/var/lib/dkms/mok.pub")
_ENROLL = "restart, choose 'Enroll MOK' and type that password, then: camdaemon setup"


def check(context: Context) -> Iterator[Finding]:
    """Yield whether this kernel refuses unsigned modules, and whether ours is signed with a key it knows."""
    machine = context.machine
    enforced = is_secure_boot_on(machine)
    module = find_module(machine)
    if enforced is None:
        yield note("secureboot", "whether Secure Boot is on cannot be determined", "mokutil --sb-state")
    elif not enforced:
        yield ok("secureboot", "Secure Boot is off; modules need no signature")
    elif module.is_loaded:
        yield ok("secureboot", f"Secure Boot is on, and the kernel has accepted {NAME}")
    elif module.is_installed:
        yield _explain_refusal(context)
    else:
        without = "PipeWire needs no module; " if context.has_pipewire else ""
        yield note(
            "secureboot",
            f"Secure Boot is on: {without}once {NAME} is installed, its key has to be enrolled at a restart",
        )


def _explain_refusal(context: Context) -> Finding:
    machine = context.machine
    key = next((key for key in _KEYS if machine.exists(key)), _KEYS[-1])
    enroll = f"sudo mokutil --import {key}, {_ENROLL}"
    if not machine.ask(["modinfo", "-F", "signer", NAME]).out.strip():
        return lack_module(
            context,
            "secureboot",
            f"Secure Boot is on and {NAME} is not signed, so the kernel will refuse it",
            f"sign it (DKMS and akmods do when they build it), then: {enroll}",
        )
    answer = machine.ask(["mokutil", "--test-key", key])
    if "is not enrolled" in answer.out + answer.err:
        says = f"Secure Boot is on and does not know the key that signed {NAME}"
        return lack_module(context, "secureboot", says, enroll)
    return note(
        "secureboot",
        f"Secure Boot is on and {NAME} is signed; if modprobe reports that the key was rejected, it is not enrolled",
        enroll,
    )
