"""Debian's packages without installing them: fetched by apt with a state of its own, and unpacked into a folder.

The machine's own list of sources stays as it is: it only says where its archive is, which is then asked for further
releases of Debian.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

SUITES = ("bookworm", "bookworm-backports", "trixie")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Archive:
    """The archive's packages of SUITES, by way of the folder `place`. LabError when it cannot be reached."""

    def __init__(self, place: Path) -> None:
        self._place = place
        (place / "lists" / "partial").mkdir(parents=True)
        (place / "cache" / "archives" / "partial").mkdir(parents=True)
        address = _own_archive()
        sources = [f"deb [signed-by={_KEYRING}] {address} {suite} main" for suite in SUITES]
        (place / "sources.list").write_text("\n".join(sources) + "\n")
        settings = {
            "Dir::Etc::sourcelist": place / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": place / "lists",
            "Dir::Cache": place / "cache",
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "root",
        }
        self._apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]
        self._run("update")

    def unpack(self, package: str, suite: str, into: Path) -> Path:
        """The files of `package` as `suite` has it, under the folder `into`, which is returned."""
        fetched = self._place / f"{package}-{suite}"
        fetched.mkdir()
        self._run("download", f"{package}/{suite}", cwd=fetched)
        [deb] = fetched.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", deb, into], check=True)
        deb.unlink()
        return into

    def _run(self, *words: str, cwd: Path | None = None) -> None:
        done = subprocess.run([*self._apt, *words], cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"apt-get {words[0]} failed: {done.stderr.strip()[-400:]}; is there a network?")


class LabError(Exception):
    """The lab itself failed, not what it tests; the message is for people."""


def _own_archive() -> str:
    """Where this machine's apt takes Debian's main archive from."""
    asked = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in asked.stdout.splitlines():
        address, _, origin = line.partition(" ")
        if origin == "Debian Debian":
            return address
    raise LabError("apt knows no Debian archive here; type: apt-get update")
