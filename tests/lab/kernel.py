"""The guest's kernel, a user-mode Linux with V4L2, and its modules: vivid and three releases of v4l2loopback.

Built once from Debian's source packages, and kept in the cache under a hash of its inputs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from debian import Archive, LabError

VERSIONS = {"0.12.7": "bookworm", "0.13.2": "bookworm-backports", "0.15.0": "trixie"}  # v4l2loopback, by Debian's suite
_SOURCE, _SUITE = "linux-source-6.12", "trixie"
_HERE = Path(__file__).parent
_PATCH = "user-mode-linux.patch"  # its header says what it fixes
_INPUTS = ("kernel.config", "kernel.py", "debian.py", _PATCH)
_MUST = ("VIDEO_DEV=y", "VIDEO_VIVID=m", "HOSTFS=y", "OVERLAY_FS=y", "DEVTMPFS=y")  # allnoconfig drops silently
# Parts of the source that the build does not need, which is most of it. Their Kconfig and Makefiles must stay.
_UNUSED = ("drivers/gpu", "drivers/net/ethernet", "drivers/net/wireless", "drivers/staging", "sound")
_FOREIGN = ["alpha", "arc", "arm", "arm64", "csky", "hexagon", "loongarch", "m68k", "microblaze", "mips", "nios2"]
_FOREIGN += ["openrisc", "parisc", "powerpc", "riscv", "s390", "sh", "sparc", "xtensa"]


@dataclass(frozen=True, slots=True)
class Build:
    """What a guest boots from: a folder with kernel and modules."""

    place: Path

    @property
    def linux(self) -> Path:
        """The kernel, an executable."""
        return self.place / "linux"

    @property
    def modules(self) -> Path:
        """The folder that the guest sees as /lib/modules."""
        return self.place / "lib" / "modules"

    def loopback(self, version: str) -> Path:
        """Return the module file of a v4l2loopback."""
        return self.place / "v4l2loopback" / f"{version}.ko"


def build(cache: Path, report: Callable[[str], None]) -> Build:
    """Return the build in the folder `cache`; make it first if it is missing (some minutes). Raises LabError."""
    done = Build(cache / f"kernel-{_fingerprint()}")
    if done.place.is_dir():
        return done
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob("kernel-*"):
        shutil.rmtree(old)
    start = time.monotonic()

    def step(what: str) -> None:
        report(f"{time.monotonic() - start:5.0f} s  {what}")

    with tempfile.TemporaryDirectory(prefix="building-", dir=cache) as work:
        result = Path(work) / "result"
        _make(Path(work), Build(result), step)
        result.rename(done.place)
    return done


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name in _INPUTS:
        digest.update((_HERE / name).read_bytes())
    digest.update(subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, check=True).stdout)
    return digest.hexdigest()[:12]


def _make(work: Path, build: Build, step: Callable[[str], None]) -> None:
    archive = Archive(work / "apt")
    step("package lists")
    source = _unpack(work, archive)
    step("kernel source unpacked")
    objects = work / "objects"
    objects.mkdir()
    kernel = ["make", "-s", "ARCH=um", "-C", str(source), f"O={objects}"]
    _run([*kernel, f"KCONFIG_ALLCONFIG={_HERE / 'kernel.config'}", "allnoconfig"], work / "config.log")
    _check_config(objects / ".config")
    _run([*kernel, f"-j{os.cpu_count()}", "all"], work / "kernel.log")
    step("kernel built")
    _run([*kernel, f"INSTALL_MOD_PATH={build.place}", "INSTALL_MOD_STRIP=1", "modules_install"], work / "install.log")
    for link in build.modules.glob("*/build"):
        link.unlink()
    (build.place / "v4l2loopback").mkdir()
    for version, suite in VERSIONS.items():
        unpacked = archive.unpack("v4l2loopback-dkms", suite, work / version)
        _build_module(unpacked / "usr" / "src" / f"v4l2loopback-{version}", objects, build.loopback(version))
        step(f"v4l2loopback {version} ({suite})")
    subprocess.run(["strip", "-o", build.linux, objects / "linux"], check=True)
    shutil.copy(objects / ".config", build.place / "kernel.config")


def _unpack(work: Path, archive: Archive) -> Path:
    package = archive.unpack(_SOURCE, _SUITE, work / "package")
    [tar] = (package / "usr" / "src").glob("linux-source-*.tar.xz")
    unused = [f"*/{folder}/*.[ch]" for folder in _UNUSED]
    unused += [f"*/arch/{name}/{files}" for name in _FOREIGN for files in ("*.[chS]", "*.dts*")]
    unused += ["*/tools/testing"]
    subprocess.run(["tar", "-xf", tar, "-C", work, *(f"--exclude={each}" for each in unused)], check=True)
    shutil.rmtree(package)
    [source] = work.glob("linux-source-*")
    _run(["patch", "--forward", "-p1", "-d", str(source), "-i", str(_HERE / _PATCH)], work / "patch.log")
    return source


def _check_config(config: Path) -> None:
    lines = config.read_text().splitlines()
    lacking = [option for option in _MUST if f"CONFIG_{option}" not in lines]
    if lacking:
        raise LabError(f"the kernel's configuration lacks {', '.join(lacking)}: see tests/lab/kernel.config")


def _build_module(source: Path, objects: Path, result: Path) -> None:
    if not source.is_dir():
        raise LabError(f"Debian has no {source.name} any more: update VERSIONS in tests/lab/kernel.py")
    # 0.12.7 calls strlcpy, which Linux 6.8 removed
    words = ["make", "-s", "ARCH=um", "-C", str(objects), f"M={source}", "KCFLAGS=-Dstrlcpy=strscpy", "modules"]
    _run(words, source / "build.log")
    shutil.copy(source / "v4l2loopback.ko", result)


def _run(words: list[str], log: Path) -> None:
    with log.open("wb") as out:
        done = subprocess.run(words, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LabError(f"{words[-1]} failed:\n{tail}")
