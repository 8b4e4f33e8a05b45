"""Intel's GPU and NPU, as the kernel shows them: found by reading two folders, before any driver is loaded."""

from __future__ import annotations

from pathlib import Path

_CLASSES = {"GPU": ("drm", "renderD", "dri"), "NPU": ("accel", "accel", "accel")}  # folder in /sys/class, name, /dev
_INTEL = "0x8086"


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
