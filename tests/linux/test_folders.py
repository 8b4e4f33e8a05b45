"""The user's folders, also for a user whom nobody knows."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from camdaemon.errors import ConfigError
from camdaemon.linux.folders import expand_home, find_folder, find_runtime_folder

_NO_HOME = r"no home folder.*HOME.*Run: export HOME="


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A user without an entry in /etc/passwd, and without HOME: `docker run -u 12345`."""
    for name in [name for name in os.environ if name == "HOME" or name.startswith("XDG_")]:
        monkeypatch.delenv(name)

    def find_nobody(_: object) -> object:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", find_nobody)
    monkeypatch.setattr(pwd, "getpwnam", find_nobody)
    return monkeypatch


@pytest.mark.parametrize("kind", ["config", "state", "data", "cache"])
def test_without_a_home_each_folder_is_a_sentence(nobody: pytest.MonkeyPatch, kind: str) -> None:
    with pytest.raises(ConfigError, match=_NO_HOME):
        find_folder(kind)  # type: ignore[arg-type]
    nobody.setenv(f"XDG_{kind.upper()}_HOME", "/srv/some")
    assert find_folder(kind) == Path("/srv/some/camdaemon")  # type: ignore[arg-type]
    assert find_folder(kind, app=None) == Path("/srv/some")  # type: ignore[arg-type]


def test_an_empty_home_is_none(nobody: pytest.MonkeyPatch) -> None:
    nobody.setenv("HOME", "")
    with pytest.raises(ConfigError, match=_NO_HOME):
        find_folder("config")


def test_a_home_that_is_missing_is_one(nobody: pytest.MonkeyPatch) -> None:
    nobody.setenv("HOME", "/missing/home")
    assert find_folder("state") == Path("/missing/home/.local/state/camdaemon")
    assert expand_home("~/a.png") == Path("/missing/home/a.png")


def test_sockets_need_no_home(nobody: pytest.MonkeyPatch) -> None:
    assert find_runtime_folder().name == "camdaemon"


def test_a_tilde_is_the_home_and_nothing_else(nobody: pytest.MonkeyPatch) -> None:
    assert expand_home("a~/~b") == Path("a~/~b")
    with pytest.raises(ConfigError, match=_NO_HOME):
        expand_home("~/a.png")
    with pytest.raises(ConfigError, match=r"~bob/a\.png.*no user bob\b.*Run: "):
        expand_home("~bob/a.png")


# As in the command line, but for the passwd entry that tests cannot take away from another process.
_PROGRAM = """
import os, pwd, sys
def find_nobody(_): raise KeyError
pwd.getpwuid = find_nobody
from camdaemon.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "words",
    [
        ["config", "--check"],
        ["config"],
        ["run", "--source", "pattern", "--sink", "null"],
        ["doctor"],
        ["doctor", "--json"],
        ["service", "status"],
        ["service", "install", "--dry-run"],
        ["camera", "show"],
    ],
    ids=" ".join,
)
def test_commands_without_a_home_end_in_one_sentence(words: list[str], tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=Path(__file__).parents[2],
        env=environment,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("camdaemon: no home folder")
    assert len(done.stderr.splitlines()) == 1


def test_nobody_else_looks_for_the_home_folder() -> None:
    package = Path(__file__).parents[2] / "camdaemon"
    users = [path.relative_to(package) for path in package.rglob("*.py") if "platformdirs" in path.read_text("utf-8")]
    assert users == [Path("linux/folders.py")]
