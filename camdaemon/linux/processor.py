"""What /proc/cpuinfo says about the processors, of which the first speaks for all."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


@cache
def read_processor() -> dict[str, str]:
    """Return what is said of the first processor: 'model name', 'flags' and others; {} where it cannot be read."""
    try:
        first, _, _ = _CPUINFO.read_text("utf-8", "replace").partition("\n\n")
    except OSError:
        return {}
    lines = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def read_flags() -> frozenset[str]:
    """Return what the processor can do, in Linux's words: 'avx2', 'avx512_bf16'; empty where that is not known."""
    said = read_processor()
    return frozenset((said.get("flags") or said.get("Features") or "").split())  # ARM has Features
