"""A question on the terminal. Standard library only."""

from __future__ import annotations

import sys

from camdaemon.errors import ConfigError


def agree(question: str) -> bool:
    """Ask, and return whether the answer is yes; the end of the input is a no."""
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False


def is_terminal() -> bool:
    """Whether questions can be answered."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def confirm(question: str, command: str, *, yes: bool) -> bool:
    """Return whether the user agrees to what was just printed.

    Args:
        question: To ask on a terminal.
        command: What to type where there is none.
        yes: Agreed already.

    Raises:
        ConfigError: There is no terminal.
    """
    if yes:
        return True
    if not is_terminal():
        raise ConfigError(f"cannot ask for consent: this is no terminal. Run: {command}")
    return agree(question)
