"""Memory that was freed and is still ours, because glibc keeps it for later."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8  # of mallopt(3)


def release_free_memory() -> None:
    """Give freed memory back to the system. Any thread; takes some milliseconds.

    For after work that allocates much in small pieces and frees most of it, such as compiling a network: up to a tenth
    of the daemon's memory. Without glibc nothing happens.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def share_one_heap() -> None:
    """Have all threads that start from now on allocate from one heap.

    By default each keeps what it freed in a heap of its own, which comes to a tenth of the daemon's memory. A frame
    takes too few allocations for its threads to wait for each other. Without glibc nothing happens.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
