"""camdaemon: a virtual camera that shows you in front of anything but your room.

For Python programs and notebooks: `Matter`, `Matte` and `composite`, which load numpy when they are first used.
"""

import os

TYPE_CHECKING = False  # `typing` would take 20 ms, which every command to the daemon would wait for
if TYPE_CHECKING:
    from camdaemon.tools.matter import Matte, Matter, composite

__all__ = ["Matte", "Matter", "__version__", "composite"]
__version__ = "0.1.0"

# Read when torch is loaded. Its threads wait for each other by spinning; where another program needs a core (a call, a
# browser), the one that was put aside is waited for in vain: 310 ms instead of 76 for a network on two contended cores.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")


if not TYPE_CHECKING:  # so that mypy still finds names that are not there

    def __getattr__(name: str) -> object:
        """Import what `__all__` names when it is first used (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from camdaemon.tools import matter

        return globals().setdefault(name, getattr(matter, name))

    def __dir__() -> list[str]:
        """List what `__all__` names, too."""
        return sorted({*globals(), *__all__})
