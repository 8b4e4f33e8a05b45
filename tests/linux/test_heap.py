"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from camdaemon.linux.heap import release_free_memory

_MB = 1 << 20


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_what_was_freed_between_blocks_in_use_is_given_back() -> None:
    blocks = [bytearray(60_000) for _ in range(2000)]  # too small to be mapped one by one
    used = blocks[::20]
    before = resident()
    del blocks
    release_free_memory()
    assert before - resident() > 60 * _MB
    assert len(used) == 100


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    release_free_memory()
