"""The way from an address of the panel to a browser, past every command line: there each user could read its token."""

from __future__ import annotations

import os

from camdaemon.control.instance import socket_path
from camdaemon.errors import ControlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def write_page(address: str) -> Path:
    """Write a private file that leads to `address`, and return its path."""
    page = socket_path().with_name("panel.html")
    page.unlink(missing_ok=True)
    with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f'<!doctype html><title>camdaemon</title><meta http-equiv="refresh" content="0;url={address}">\n')
    return page


def open_browser(address: str) -> str:
    """Have the user's browser open the panel at `address`, from the daemon; return a sentence. Any thread.

    Raises:
        ControlError: No browser can be started from here.
    """
    from camdaemon.linux.desktop import open_page

    if not open_page(write_page(address).as_uri()):
        raise ControlError("no browser could be started from here. Run: camdaemon panel")
    return "The panel opens in your browser."
