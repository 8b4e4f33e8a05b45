"""GPUs and NPUs as the kernel shows them: found by looking at files, before any driver or library is loaded."""

from __future__ import annotations

from pathlib import Path

_CLASSES = {"GPU": ("drm", "renderD", "dri"), "NPU": ("accel", "accel", "accel")}  # folder in /sys/class, name, /dev
_INTEL = "0x8086"
_FOR_CUDA = ("dev/nvidiactl", "proc/driver/nvidia/version", "dev/dxg", "dev/kfd")  # NVIDIA's, in WSL, and AMD's


def find_intel(root: Path = Path("/")) -> dict[str, str]:
    """Return the node of Intel's 'GPU' and 'NPU' by these names, such as /dev/accel/accel0; without those not there.

    Args:
        root: The folder that holds /sys.
    """
    found: dict[str, str] = {}
    for kind, (group, name, folder) in _CLASSES.items():
        for each in sorted((root / "sys/class" / group).glob(f"{name}*")):
            try:
                vendor = (each / "device/vendor").read_text().strip()
            except OSError:  # a device that is no PCI device
                continue
            if vendor == _INTEL:
                found.setdefault(kind, f"/dev/{folder}/{each.name}")
    return found


def has_cuda_driver(root: Path = Path("/")) -> bool:
    """Return whether a driver is there that torch may find a GPU by, NVIDIA's or AMD's.

    Args:
        root: The folder that holds /dev and /proc.
    """
    return any((root / path).exists() for path in _FOR_CUDA)
