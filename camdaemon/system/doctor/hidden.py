"""Hidden cameras: does their service answer, and would it hand this user's camdaemon a camera?"""

from __future__ import annotations

from collections.abc import Iterator

from camdaemon.linux.devices import is_device_path, is_one_of
from camdaemon.linux.hidden import UNIT
from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem
from camdaemon.system.machine import Machine
from camdaemon.system.setup import hidden_files as files

_SHOW = "camdaemon setup --unhide-camera"


def is_closed(machine: Machine, path: str) -> bool:
    """Whether the camera at `path` is hidden, and so closed to the doctor as well."""
    return machine.is_hidden(path) and not machine.may_use(path)


def check(context: Context) -> Iterator[Finding]:
    """Yield what there is to say of hidden cameras; nothing where none was hidden."""
    machine = context.machine
    hidden = [f"/dev/{name}" for name in machine.names("/dev", "video[0-9]*") if machine.is_hidden(f"/dev/{name}")]
    rules = files.list_cameras(machine)
    if not hidden and not rules:
        return
    yield from _check_camera(context, hidden)
    if machine.uid == 0:  # the service would tell of root, who is not at the screen and needs no service
        return
    refusal = machine.find_refusal()
    own = f"/run/user/{machine.uid}/camdaemon/control.sock"
    used = machine.environ.get("CAMDAEMON_SOCKET") or f"{machine.environ.get('XDG_RUNTIME_DIR')}/camdaemon/control.sock"
    if used != own:
        says = f"the service knows the daemon by the lock of its control socket {own}, and yours is {used}"
        yield problem("hidden", says, f"export CAMDAEMON_SOCKET={own}")
    if not refusal:
        yield ok("hidden", "the service of hidden cameras answers, and hands them to your camdaemon")
    elif "does not answer" in refusal:
        fix = f"sudo systemctl enable --now {UNIT}; its log: journalctl -u camdaemon-camera"
        yield problem("hidden", refusal, fix)
    else:
        fix = (
            f"at the screen of this machine, log in and run camdaemon there; without hiding it works over ssh: {_SHOW}"
        )
        yield problem("hidden", f"the service of hidden cameras refuses: {refusal}", fix)


def _check_camera(context: Context, hidden: list[str]) -> Iterator[Finding]:
    """Whether each camera of the rule is there and closed, and the configured one is among them."""
    machine = context.machine
    for path in hidden:
        name = (machine.text(f"/sys/class/video4linux/{path.removeprefix('/dev/')}/name") or "a camera").strip()
        used = ", the camera that is configured" if is_one_of(path, [context.camera]) else ""
        yield ok("hidden", f"{path} ({name}) is hidden: only camdaemon gets it{used}")
    for camera in files.list_cameras(machine):
        nodes = [f"/dev/{node}" for node in files.list_nodes(machine, camera)]
        if not nodes:
            yield note("hidden", f"the camera {camera} is to be hidden, and is not plugged in")
        for path in nodes:
            if path not in hidden:
                fix = f"camdaemon setup --hide-camera {path}; to give up hiding: {_SHOW}"
                yield problem("hidden", f"{path} is to be hidden, but is open to other programs", fix)
    if hidden and not is_device_path(context.camera):
        yield note("hidden", f"{' and '.join(hidden)} is hidden, and the configured source is {context.camera}", _SHOW)
