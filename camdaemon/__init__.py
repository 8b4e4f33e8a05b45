"""camdaemon: a virtual camera that shows you in front of anything but your room."""

import os

__version__ = "0.1.0"

# Read when torch is loaded. Its threads wait for each other by spinning; where another program needs a core (a call, a
# browser), the one that was put aside is waited for in vain: 310 ms instead of 76 for a network on two contended cores.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
