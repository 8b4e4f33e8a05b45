"""The commands of `camdaemon train`, for torchrun.

torchrun --nproc-per-node 2 -m camdaemon.tools.train base …
"""

import sys

from camdaemon.errors import CamdaemonError
from camdaemon.tools.train.cli import app

if __name__ == "__main__":
    try:
        app(prog_name="camdaemon train")
    except CamdaemonError as exc:
        print(f"camdaemon: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
