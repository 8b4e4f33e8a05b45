"""Entry point of `camdaemon` and `python -m camdaemon`: errors as sentences on stderr, exit codes of errors.py."""

from __future__ import annotations

import errno
import io
import os
import sys

from camdaemon.errors import CamdaemonError


def main() -> None:
    """Run the command line. Commands to the running daemon go past typer, which takes longer to load than they take."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # some terminals know few letters, and names of files may hold any
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from camdaemon.cli import live

        if typed := live.parse(sys.argv[1:]):
            live.run(*typed)
        else:
            from camdaemon.cli.app import app
            from camdaemon.linux.private import omit_pictures_from_core_dumps

            omit_pictures_from_core_dumps()  # whatever follows may hold some: run, video, train …
            app()
    except CamdaemonError as exc:
        print(f"camdaemon: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
    except BrokenPipeError:  # `camdaemon devices | head -1`
        sys.exit(1)
    except OSError as exc:
        if exc.errno != errno.ENOSPC:
            raise
        print(f"camdaemon: cannot write: {exc.strerror}. Run: df -h", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        _flush()


def _flush() -> None:
    """Write what is still to be printed, here, where a reader that has gone is an exception of ours."""
    if sys.stdout is None:  # closed by whoever started us
        return
    try:
        sys.stdout.flush()
    except OSError as exc:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter's own flush fails as well
        if exc.errno == errno.ENOSPC:
            print(f"camdaemon: cannot write: {exc.strerror}. Run: df -h", file=sys.stderr)
            sys.exit(1)


if __name__ == "__main__":
    main()
