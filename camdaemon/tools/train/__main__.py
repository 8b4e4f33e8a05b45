"""The same commands for torchrun: torchrun --nproc-per-node 2 -m camdaemon.tools.train base …"""

import sys

from camdaemon.errors import CamdaemonError

from .cli import app

if __name__ == "__main__":
    try:
        app(prog_name="camdaemon train")
    except CamdaemonError as exc:
        print(f"camdaemon: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
