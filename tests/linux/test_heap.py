"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from camdaemon.linux.heap import release_free_memory, share_one_heap

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
    share_one_heap()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc")
def test_threads_allocate_from_one_heap() -> None:
    """In a process of its own: what it sets is never undone. A heap for a thread alone is counted by malloc_info(3)."""
    script = (
        "import ctypes, sys, threading\n"
        "from camdaemon.linux.heap import share_one_heap\n"
        "if len(sys.argv) > 1: share_one_heap()\n"
        "ready = threading.Barrier(9)\n"
        "def use(): kept = [bytearray(5000) for _ in range(100)]; ready.wait(); ready.wait()\n"
        "for _ in range(8): threading.Thread(target=use).start()\n"
        "ready.wait()\n"
        "c = ctypes.CDLL(None); c.fdopen.restype = ctypes.c_void_p\n"
        "out = ctypes.c_void_p(c.fdopen(1, b'w')); c.malloc_info(0, out); c.fflush(out)\n"
        "ready.wait()\n"
    )
    heaps = [
        subprocess.run([sys.executable, "-c", script, *more], capture_output=True, text=True, check=True).stdout.count(
            "<heap nr="
        )
        for more in ([], ["one"])
    ]
    assert heaps[0] > 1
    assert heaps[1] == 1
