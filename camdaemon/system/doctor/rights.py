"""May this user open the camera and the virtual camera?"""

from __future__ import annotations

import os
from collections.abc import Iterator

from camdaemon.system import accounts
from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem


def check(context: Context) -> Iterator[Finding]:
    """Yield whether this user may use the configured nodes, and why."""
    machine = context.machine
    paths = [path for path in (*context.sinks, context.camera) if path.startswith("/dev/") and machine.exists(path)]
    forbidden = [path for path in dict.fromkeys(paths) if not machine.may_use(path)]
    for path in forbidden:
        if accounts.must_log_in_again(machine):
            yield problem(
                "rights",
                f"{path} may not be used yet: {machine.user} is in the group video from the next login on",
                "log out and in again",
            )
        elif accounts.is_member(machine):
            fix = f"sudo chgrp video {path} && sudo chmod 660 {os.path.normpath(path)}"
            yield problem("rights", f"{path} is not open to the group video", fix)
        else:
            fix = f"sudo usermod -aG {accounts.GROUP} {machine.user}, then log out and in again"
            yield problem("rights", f"{machine.user} may not use {path}", fix)
    if forbidden or not paths:
        return
    if machine.uid == 0 and machine.user == "root":
        yield ok("rights", "root may use every device")
    elif accounts.is_member(machine):
        yield ok("rights", f"{machine.user} is in the group video")
    else:
        yield note(
            "rights",
            f"{machine.user} may use the cameras at this screen, but not over ssh or before login",
            f"only if you need that: sudo usermod -aG {accounts.GROUP} {machine.user}",
        )
