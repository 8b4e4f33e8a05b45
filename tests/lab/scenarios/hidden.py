"""A hidden camera: its user's daemon gets pictures from the service; programs and other users do not, by file modes."""

from __future__ import annotations

import grp
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from inside import live, module, systemctl
from inside.bench import Bench
from inside.module import VIRTUAL, VIVID, WEBCAM
from inside.process import as_user

from camdaemon.linux import hidden
from camdaemon.system.setup import hidden_files

TIMEOUT = 240

ALICE, BOB = 58000, 58001  # alice sits at the screen
_UDEVD = "/usr/lib/systemd/systemd-udevd"
_SEAT = Path("/run/systemd/seats/seat0")
_OPEN = "import os, sys; os.close(os.open(sys.argv[1], os.O_RDWR))"
_ASK = "from camdaemon.linux import hidden; import sys; hidden.fetch(sys.argv[1])"
_ALWAYS = "--no-on-demand"  # with 0.12, a user's daemon does not see that root's process is a viewer
_QUIET = {"osd_text_mode": 2, "horizontal_movement": 3, "vertical_movement": 3}


def play(bench: Bench) -> None:
    if not os.path.exists(_UDEVD):
        bench.not_applicable("it needs udev (package udev)")
    _prepare(bench)
    before = _describe(VIVID)
    _check_open_to_alice(before)
    bench.note(before=before)
    _setup("--hide-camera", VIVID)
    _check_modes(bench)
    _check_daemons(bench)
    _plug_in_again()
    _check_modes(bench)
    bench.note(hidden=_describe(VIVID))
    _check_footage(bench)
    said = _setup("--remove")
    after = _describe(VIVID)
    assert after == before, f"before {before}, now {after}: {said}"
    _check_open_to_alice(after)
    left = [
        path
        for path in (*hidden_files.OURS, os.path.dirname(hidden.SOCKET), os.path.dirname(hidden_files.PROGRAM))
        if os.path.lexists(path)
    ]
    assert not left, f"setup --remove left {left}"
    assert subprocess.run(["getent", "group", hidden.GROUP], stdout=subprocess.DEVNULL, check=False).returncode


def _prepare(bench: Bench) -> None:
    """Two users, a seat as logind tells of it, udev, and systemctl; everything is gone with the guest."""
    for name, user in (("alice", ALICE), ("bob", BOB)):
        module.run("useradd", "--no-create-home", "--uid", str(user), "--user-group", name)
    for path in (Path(sys.executable).resolve(), Path(sys.prefix), bench.plate, Path(__file__)):
        for folder in path.resolve().parents:
            if not folder.stat().st_mode & stat.S_IXOTH:
                folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    Path("/run/systemd/system").mkdir(parents=True)
    _SEAT.parent.mkdir()
    _seat(ALICE)
    command = Path("/usr/local/sbin/systemctl")
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {systemctl.__file__} "$@"\n')
    command.chmod(0o755)
    os.environ["PATH"] = f"/usr/local/sbin:{os.environ['PATH']}"
    os.environ["CAMDAEMON_SOCKET"] = f"/run/user/{ALICE}/camdaemon/control.sock"
    os.chmod(VIRTUAL, 0o666)
    bench.start_program(_UDEVD)
    bench.wait_until(lambda: os.path.exists("/run/udev/control"), 20, "udev starts")
    _plug_in_again(load_only=True)


def _seat(user: int) -> None:
    _SEAT.write_text(f"IS_SEAT0=1\nACTIVE=1\nACTIVE_UID={user}\n")


def _plug_in_again(*, load_only: bool = False) -> None:
    if not load_only:
        module.run("rmmod", "vivid")
    module.load_vivid()
    module.run("udevadm", "settle")
    os.chmod(VIRTUAL, 0o666)
    module.control(VIVID, **_QUIET)


def _describe(path: str) -> str:
    found = os.stat(path)
    shared = "+" if "system.posix_acl_access" in os.listxattr(path) else ""
    return f"{stat.filemode(found.st_mode)}{shared} root:{grp.getgrgid(found.st_gid).gr_name}"


def _run(user: int, code: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", code, VIVID]
    return subprocess.run(words, capture_output=True, text=True, check=False, **as_user(user))


def _may_open(user: int) -> bool:
    done = _run(user, _OPEN)
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


def _check_open_to_alice(described: str) -> None:
    assert _may_open(ALICE), f"udev does not give the camera to the user at the screen: {described}"
    assert not _may_open(BOB), f"the camera is open to others: {described}"


def _setup(*options: str) -> str:
    words = [sys.executable, "-m", "camdaemon", "setup", *options, "--yes"]
    environment = {name: value for name, value in os.environ.items() if name != "CAMDAEMON_SOCKET"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, f"{words[2:]}: {done.stdout[-500:]}{done.stderr[-500:]}"
    return done.stdout


def _check_modes(bench: Bench) -> None:
    """By file modes: the group has the camera, the service is its only member, and no user may open it."""
    assert _describe(VIVID) == f"crw-rw---- root:{hidden.GROUP}", _describe(VIVID)
    assert grp.getgrnam(hidden.GROUP).gr_mem == [], "somebody was put into the group"
    for user in (ALICE, BOB):
        assert not _may_open(user), f"user {user} opens the hidden camera"
        said = _run(user, _ASK).stderr
        assert "only the" in said, f"user {user} asks the service by another program: {said[-300:]}"


def _check_footage(bench: Bench) -> None:
    """A camera with footage that can be judged. It is virtual: the scenario does to its node what udev's rule does."""
    bench.webcam("mjpg")
    shutil.chown(WEBCAM, group=hidden.GROUP)
    os.chmod(WEBCAM, 0o660)
    alice = bench.daemon(_ALWAYS, user=ALICE)
    viewer = bench.view()
    viewer.wait("composite", 30)
    viewer.wait("composite", 10, since=viewer.seen[-1].t + 2)
    bench.note(ages_s=max(live.fresh(viewer)))
    log = alice.log()
    assert "got MJPG" in log, log[-500:]
    assert "not held" not in log, f"the controls of a hidden camera are its daemon's too: {log[-500:]}"
    viewer.close()
    alice.stop()
    shutil.chown(WEBCAM, group=0)


def _type(*words: str) -> subprocess.CompletedProcess[str]:
    """What alice gets from a command of camdaemon."""
    command = [sys.executable, "-m", "camdaemon", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **as_user(ALICE))


def _check_doctor() -> None:
    found = json.loads(_type("doctor", "--camera", VIVID, "--json").stdout)
    said = [(each["level"], each["says"]) for each in found if each["about"] == "hidden"]
    assert [level for level, _ in said] == ["ok", "ok"], said


def _check_daemons(bench: Bench) -> None:
    bob = bench.daemon("--source", VIVID, ready=False, user=BOB, plate="auto")
    assert bob.ended(60) == 3, bob.log()
    assert "user at the screen" in bob.log(), f"bob's daemon: {bob.log()[-500:]}"
    alice = bench.daemon("--source", VIVID, _ALWAYS, user=ALICE, plate="auto")
    alice.wait(lambda status: status["plate"] == "taken", 60)
    viewer = bench.view()
    module.control(VIVID, show_square=1)
    viewer.wait("composite", 30)
    assert alice.log().count("camera mode"), "the camera's mode is in the log"
    assert "hidden" in _type("devices").stdout, "camdaemon devices does not tell"
    other = _type("camera", "show", "--device", VIVID)
    assert "another camdaemon is running" in other.stderr, f"only one process is the daemon: {other}"
    _check_doctor()
    _seat(BOB)
    said = _run(ALICE, "from camdaemon.linux import hidden; print(hidden.find_refusal())").stdout
    assert "user at the screen" in said, said
    viewer.wait("composite", 10, since=viewer.seen[-1].t + 1)  # what is open stays open: the kernel takes nothing back
    _seat(ALICE)
    viewer.close()
    alice.stop()
    shown = _type("camera", "show", "--device", VIVID)
    assert "brightness" in shown.stdout, f"without the daemon, the command takes its place: {shown}"
    shutil.copy("/run/broker.log", bench.share / "broker.log")
