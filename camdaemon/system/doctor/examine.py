"""All checks in the order in which things depend on each other: kernel, devices, torch, desktop, ourselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from camdaemon.errors import CamdaemonError
from camdaemon.system.doctor import accelerator, cameras, desktop, module, own, rights, secure_boot, virtual
from camdaemon.system.doctor.findings import Check, Context, Finding, note
from camdaemon.system.setup.machine import Machine

CHECKS: Mapping[str, Check] = {
    "module": module.check,
    "secureboot": secure_boot.check,
    "virtual": virtual.check,
    "rights": rights.check,
    "camera": cameras.check,
    "torch": accelerator.check,
    "desktop": desktop.check,
    "camdaemon": own.check,
}


def examine(machine: Machine, *, camera: str | None, measure: bool) -> Iterator[Finding]:
    """Everything there is to find, one by one. camera: in place of the configured one.   measure: its real rate too."""
    from camdaemon.system.doctor.measure import measure as measured

    config, of_the_file = own.configuration()
    yield of_the_file
    context = Context(machine, config, camera or config.source, _status(), measured if measure else None)
    yield from findings(context, CHECKS)


def findings(context: Context, checks: Mapping[str, Check]) -> Iterator[Finding]:
    """What `checks` find. One that fails becomes a note: a doctor who faints helps nobody."""
    for name, check in checks.items():
        try:
            yield from check(context)
        except Exception as exc:
            yield note(name, f"this could not be looked at ({type(exc).__name__}: {exc})")


def _status() -> Mapping[str, object] | None:
    """The running daemon's; None when none answers."""
    from camdaemon.control.client import Client

    try:
        status: Mapping[str, object] = Client().status()
        return status
    except CamdaemonError:
        return None
