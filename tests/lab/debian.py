"""Debian packages without installing them: apt with its own state fetches them, dpkg-deb unpacks them into a folder.

The machine's list of sources is not changed. It only tells where the archive is, which has other releases, too.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

SUITES = ("bookworm", "bookworm-backports", "trixie")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Archive:
    """The archive's packages of SUITES. Keeps apt's state in `place`. Raises LabError if it is unreachable."""

    def __init__(self, place: Path) -> None:
        self._place = place
        (place / "lists" / "partial").mkdir(parents=True)
        (place / "cache" / "archives" / "partial").mkdir(parents=True)
        address = _find_archive()
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
        """Unpack `package` of `suite` into the folder `into` and return that folder."""
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
            raise LabError(f"apt-get {words[0]} failed: {done.stderr.strip()[-400:]}. Check the network")


class LabError(Exception):
    """The lab itself failed, not what it tests."""


def _find_archive() -> str:
    """Return the address from which this machine's apt takes Debian's main archive."""
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
    raise LabError("apt knows no Debian archive. Run: apt-get update")
