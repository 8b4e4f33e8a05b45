"""What goes wrong in a network, as an error for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from camdaemon.errors import EngineError


@contextmanager
def as_engine_errors(
    seq: int, size: tuple[int, int], device: str, memory: tuple[type[Exception], ...] = (MemoryError,)
) -> Iterator[None]:
    """Turn what the block raises into EngineErrors.

    Args:
        seq: Number of the frame.
        size: Its height and width.
        device: 'cpu' or 'cuda'.
        memory: Exceptions of a device that is out of memory.

    Raises:
        EngineError: The network failed, or memory did not suffice.
    """
    try:
        yield
    except memory as exc:
        remedy = "--size 640x360" if device == "cpu" else "--size 640x360 or --device cpu"
        raise EngineError(
            f"{device} has not enough memory for {size[1]}x{size[0]}: {first_line(exc)}. Run with: {remedy}"
        ) from exc
    except (RuntimeError, ValueError, cv2.error) as exc:
        raise EngineError(
            f"the network failed on frame {seq}: {first_line(exc)}. If it happens again, run with: --device cpu"
        ) from exc


def require_finite(finite: bool, seq: int, numbers: str) -> None:
    """Raise EngineError for a matte that is not finite. `numbers`: the format it was computed in."""
    if not finite:
        raise EngineError(
            f"the matte of frame {seq} is not finite (damaged weights, or too large for {numbers}). "
            "Run with: --weights default or --device cpu"
        )


def first_line(exc: BaseException) -> str:
    """Return the first line of what `exc` says, or its type's name."""
    return next(iter(str(exc).splitlines()), type(exc).__name__)
