"""Entry point of `camdaemon` and `python -m camdaemon`: errors for people on stderr, exit codes as in errors.py."""

from __future__ import annotations

import sys

from camdaemon.errors import CamdaemonError


def main() -> None:
    """Run the command line. `status` goes past typer, which takes longer to load than the daemon to answer: status bars
    and scripts ask every few seconds, also while the network has every core."""
    try:
        if sys.argv[1:2] == ["status"] and set(sys.argv[2:]) <= {"--json"}:
            from camdaemon.cli.status import show

            show(as_json="--json" in sys.argv)
        else:
            from camdaemon.cli.app import app

            app()
    except CamdaemonError as exc:
        print(f"camdaemon: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
