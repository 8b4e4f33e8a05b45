"""Global hotkeys: through the desktop's portal under Wayland, through pynput under X11.

Nothing here ever stops the daemon. What is missing or refused costs one line in the log, which says what to do.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from camdaemon.config.keys import KeyCombination, find_mistakes
from camdaemon.errors import ControlError
from camdaemon.linux import desktop
from camdaemon.linux.backoff import Backoff
from camdaemon.linux.threads import join_or_warn

log = logging.getLogger(__name__)

_FIRST_S, _LONGEST_S = 1.0, 60.0  # pauses between two tries to bind lost keys again; after the longest it is given up


class Lost(ControlError):
    """Keys came and come no more, but may again: the portal, or the X server, has ended."""


class Declined(ControlError):
    """The user wants no keys. Asking once more would be a nuisance."""


class _Surface(Protocol):
    """Where the key presses come from."""

    def run(self) -> None:
        """Call `press` until `stop`, in the thread 'hotkeys'. May be called again.

        Raises ControlError if no keys come, Lost if none come any more.
        """

    def stop(self) -> None:
        """Make `run` return, now or as soon as it is called. Any thread; returns at once."""


class Hotkeys:
    """Calls `press(action)` when an action's combination is pressed anywhere on the desktop.

    `start` and `stop` are for one thread at a time, and raise nothing.
    """

    def __init__(self, bindings: Mapping[str, str], press: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            bindings: Action → combination, see `config.keys`.
            press: Gets an action; called in the thread 'hotkeys', returns at once.
        """
        self._bindings, self._press = dict(bindings), press
        self._surface: _Surface | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start listening and return at once; the desktop may ask its user for minutes. Without bindings do nothing."""
        if not self._bindings:
            return
        try:
            self._surface = _choose_surface(self._bindings, self._press_safely)
        except Exception as exc:
            self._warn(exc)
            return
        self._thread = threading.Thread(target=self._run, args=(self._surface,), name="hotkeys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within 2 s. Harmless when not started or repeated."""
        if self._surface is None or self._thread is None:
            return
        self._ending.set()
        self._surface.stop()
        join_or_warn(self._thread)
        self._surface = self._thread = None

    def _run(self, surface: _Surface) -> None:
        """Run `surface`, again when it was lost; the body of the thread 'hotkeys'."""
        backoff, was_lost = Backoff(_FIRST_S, _LONGEST_S), False
        while not self._ending.is_set():
            try:
                surface.run()
                return
            except Lost as exc:
                log.warning("hotkeys lost: %s; they are bound again as soon as that is possible", exc)
                desktop.notify("Hotkeys are off", f"{exc}. They are bound again as soon as that is possible.")
                backoff, was_lost = Backoff(_FIRST_S, _LONGEST_S), True
            except Exception as exc:
                if not was_lost or isinstance(exc, Declined) or backoff.pause_s >= _LONGEST_S:
                    self._warn(exc)
                    return
                backoff.increase()
            self._ending.wait(backoff.pause_s)

    def _press_safely(self, action: str) -> None:
        try:
            self._press(action)
        except Exception:
            log.exception("hotkey failed: %s; the others go on", action)

    def _warn(self, error: Exception) -> None:
        """Log the one line, and show it on the desktop. The desktop's own settings can always bind the commands."""
        reason = error if isinstance(error, ControlError) else f"{type(error).__name__}: {error}"
        commands = ", ".join(f"camdaemon {action} ({text})" for action, text in self._bindings.items())
        log.warning("hotkeys off: %s; or bind these in your desktop's keyboard settings: %s", reason, commands)
        desktop.notify("Hotkeys are off", f"{reason}. You can bind these in your desktop's settings: {commands}")


def _choose_surface(bindings: Mapping[str, str], press: Callable[[str], None]) -> _Surface:
    """Make the surface for this desktop. Raises ControlError if there is none, or a binding is wrong."""
    mistakes = find_mistakes(bindings)
    if mistakes:
        raise ControlError("; ".join(mistakes))
    combinations = {action: KeyCombination.parse(text) for action, text in bindings.items()}
    if os.environ.get("WAYLAND_DISPLAY") or os.environ.get("XDG_SESSION_TYPE") == "wayland":
        # Never X11 here, DISPLAY or not: through XWayland one sees the keys of X11's own windows only.
        from camdaemon.control.hotkeys.portal import PortalKeys

        return PortalKeys(combinations, press)
    if os.environ.get("DISPLAY"):
        from camdaemon.control.hotkeys.x11 import X11Keys

        return X11Keys(combinations, press)
    raise ControlError(
        "neither WAYLAND_DISPLAY nor DISPLAY is set. Start camdaemon inside of a desktop (as a service: "
        "systemctl --user import-environment DISPLAY XAUTHORITY WAYLAND_DISPLAY, then restart it)"
    )
