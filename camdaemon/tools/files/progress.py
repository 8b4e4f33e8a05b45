"""Warnings on the terminal's error stream, above the progress bar if there is one."""

from __future__ import annotations

from camdaemon.daemon.progress import console


def warn(text: str) -> None:
    """Print a warning."""
    printable = text.encode(errors="backslashreplace").decode()  # a file's name may not be UTF-8
    console.print(printable, style="yellow", highlight=False, markup=False, soft_wrap=True)
