"""Files that others may not open, and core dumps without memory; each in a process of its own."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from camdaemon.linux.private import close_to_others, limit_mode, make_private_folder

_SHOW = """
import resource, subprocess, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CORE, ({soft}, {hard}))
from camdaemon.linux import private
private.keep_files_private()
private.omit_pictures_from_core_dumps()
Path(sys.argv[1]).write_text("")
show = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0], open('/proc/self/coredump_filter').read())"
print(*subprocess.check_output([sys.executable, "-c", show], text=True).split())
print(Path("/proc/self/status").stat().st_uid == Path(sys.argv[1]).stat().st_uid, Path("/proc/self/fd").is_dir())
"""


@pytest.mark.parametrize(("soft", "hard", "after"), [(0, 4096, 1), (4096, 4096, 1), (1, 1, 1), (0, 0, 0)])
def test_a_process_and_its_children_dump_nothing_and_write_for_their_user_alone(soft, hard, after, tmp_path):
    code = _SHOW.format(soft=soft, hard=hard)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "new")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    child, own = done.stdout.splitlines()
    assert child == f"{after} 00000000"
    assert own == "True True", "portals and the look-up of who holds a device read /proc/PID: it stays dumpable"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_folders_and_files_are_closed_and_links_are_not_followed(tmp_path):
    outside, ours = tmp_path / "outside", tmp_path / "ours"
    outside.write_text("")
    outside.chmod(0o644)
    (ours / "plates").mkdir(parents=True)
    for folder in (ours, ours / "plates"):
        folder.chmod(0o755)
    for name, given in (("a.png", 0o644), ("b.png", 0o666), ("c.png", 0o600), ("d.png", 0o400)):
        (ours / "plates" / name).write_text("")
        (ours / "plates" / name).chmod(given)
    (ours / "link").symlink_to(outside)
    assert close_to_others(ours) == []
    assert [mode(ours), mode(ours / "plates")] == [0o700, 0o700]
    assert [mode(path) for path in sorted((ours / "plates").iterdir())] == [0o600, 0o600, 0o600, 0o400]
    assert mode(outside) == 0o644
    assert close_to_others(tmp_path / "nowhere") == []


def test_what_cannot_be_closed_is_named(tmp_path, monkeypatch):
    def refuse(self, mode):
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "a.png").write_text("")
    (tmp_path / "a.png").chmod(0o644)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(Path, "chmod", refuse)
    assert close_to_others(tmp_path) == [tmp_path / "a.png"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_private_folder_is_private_whatever_the_umask_and_its_past(tmp_path, umask):
    before = os.umask(umask)
    try:
        for path in (tmp_path / "a" / "b", tmp_path / "old"):
            path.parent.mkdir(exist_ok=True)
            if path.name == "old":
                path.mkdir(0o755)
            make_private_folder(path)
            assert mode(path) == 0o700
    finally:
        os.umask(before)


@pytest.mark.parametrize(("umask", "after"), [(0o022, 0o664), (0o027, 0o664), (0o077, 0o600), (0o177, 0o600)])
def test_a_replaced_file_keeps_its_mode_unless_the_process_is_private(umask, after):
    before = os.umask(umask)
    try:
        assert limit_mode(0o664) == after
        assert os.umask(umask) == umask, "it is only looked at"
    finally:
        os.umask(before)
