"""What a run finds from earlier ones: photographs open to others, half-written files; and what it writes itself."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from camdaemon.control import uploads
from camdaemon.daemon.housekeeping import keep_house
from camdaemon.frames import picture
from camdaemon.linux import private

DEAD = 2**22 + 1  # above every number that Linux gives to a thread


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def _unchanged_process() -> Iterator[None]:
    """The umask of the tests' own process stays."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def put(path: Path, given: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    path.chmod(given)
    return path


@pytest.mark.usefixtures("_unchanged_process")
def test_photographs_of_earlier_runs_are_closed_to_others(tmp_path):
    state, cache = platformdirs.user_state_path("camdaemon"), platformdirs.user_cache_path("camdaemon")
    data = platformdirs.user_data_path("camdaemon")
    ours = [put(state / "plates" / "a.png"), put(state / "locked" / "b.json"), put(cache / "engine.json")]
    theirs = put(data / "backdrops" / "beach.jpg")
    keep_house(tmp_path / "backdrops")
    assert [mode(path) for path in ours] == [0o600] * 3
    assert [mode(path) for path in (state, state / "plates", state / "locked", cache, data)] == [0o700] * 5
    assert mode(theirs) == 0o644
    assert os.umask(0o022) == 0o077


@pytest.mark.usefixtures("_unchanged_process")
def test_what_a_killed_run_left_is_swept_up_and_nothing_of_the_users(tmp_path, caplog):
    state, config = platformdirs.user_state_path("camdaemon"), platformdirs.user_config_path("camdaemon")
    backdrops = tmp_path / "backdrops"
    stale = [
        put(state / "plates" / f".a.{DEAD}.png"),
        put(state / "locked" / f".b.{DEAD}.json"),
        put(state / f".state.{DEAD}.json"),
        put(platformdirs.user_cache_path("camdaemon") / f".engine.{DEAD}.json"),
        put(config / f".config.{DEAD}.toml"),
        put(backdrops / f".upload.ab12.{DEAD}.png"),
    ]
    kept = [
        put(state / "plates" / "a.png"),
        put(config / f".mine.{DEAD}.toml"),
        put(backdrops / f".mine.{DEAD}.png"),
        put(backdrops / "film.mp4.part"),
        put(tmp_path / "recording.mkv.part"),
    ]
    with caplog.at_level(logging.INFO):
        keep_house(backdrops)
    assert not [path for path in stale if path.exists()]
    assert all(path.exists() for path in kept)
    assert all(str(path) in caplog.text for path in stale)


@pytest.mark.usefixtures("_unchanged_process")
def test_an_upload_that_is_cut_off_is_named_as_the_sweeper_knows_it(tmp_path, monkeypatch):
    """Left by a kill in the middle: the link is the moment when it gets its name."""
    left = []

    def die(draft: str, final: Path) -> None:
        killed = Path(draft).with_name(Path(draft).name.replace(f".{os.getpid()}.", f".{DEAD}."))
        left.append(killed)
        killed.write_bytes(b"half")
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "link", die)
    picture.write(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(Exception, match="Input/output"):
        uploads.keep_upload(tmp_path / "backdrops", "a.png", (tmp_path / "a.png").read_bytes())
    assert left
    assert left[0].exists()
    keep_house(tmp_path / "backdrops")
    assert not left[0].exists()


@pytest.mark.usefixtures("_unchanged_process")
def test_what_stays_open_is_said(tmp_path, monkeypatch, caplog):
    plate = put(platformdirs.user_state_path("camdaemon") / "plates" / "a.png")
    monkeypatch.setattr(private, "_close", lambda path: (_ for _ in ()).throw(PermissionError(1, "not permitted")))
    keep_house(tmp_path)
    assert str(plate.parents[1]) in caplog.text
    assert "sudo chown -R $USER" in caplog.text


_RUN = """
import os, resource, sys
from pathlib import Path
from camdaemon import __main__
os.umask(0o022)
resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
try:
    __main__.main()
finally:
    print(*resource.getrlimit(resource.RLIMIT_CORE), Path("/proc/self/coredump_filter").read_text().strip())
"""


def test_a_run_records_for_its_user_alone_and_dumps_no_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(tmp_path / "run" / "c.sock"))
    out, part = put(tmp_path / "out.mp4"), put(tmp_path / "out.mp4.part")
    picture.write(tmp_path / "room.png", np.zeros((180, 320, 3), np.uint8))
    words = ["run", "--source", "pattern", "--size", "320x180", "--matting", "difference", "--sink", str(out)]
    words += ["--plate", str(tmp_path / "room.png")]
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *words, "--fast", "--frames", "20", "--force"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert mode(out) == 0o600, "also where it replaces one that others could read"
    assert not part.exists()
    soft, hard, memory = done.stdout.split()
    assert int(soft) == (0 if hard == "0" else 1)
    assert int(memory, 16) == 0
