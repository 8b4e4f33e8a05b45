"""Commands whose reader goes away, as in `camdaemon config | head -1`, or whose disk is full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(words: list[str], stdout: int, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "camdaemon", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=100,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("buffered", ["", "1"])  # PYTHONUNBUFFERED: empty is buffered
@pytest.mark.parametrize("words", [["config"], ["devices"], ["--help"], ["completion", "fish"]], ids=" ".join)
def test_a_reader_that_has_gone_ends_the_command_quietly(words: list[str], buffered: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(words, writer, PYTHONUNBUFFERED=buffered, CAMDAEMON_SOCKET=str(tmp_path / "c.sock"))
    finally:
        os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_is_one_sentence(buffered: str) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        done = run(["config"], full.fileno(), PYTHONUNBUFFERED=buffered)
    assert done.returncode == 1
    assert done.stderr.startswith("camdaemon: cannot write: No space left")
    assert len(done.stderr.splitlines()) == 1
