"""Global hotkeys: through the desktop's portal under Wayland, through pynput under X11.

Nothing here ever stops the daemon. Whatever is missing or refused costs one line in the log, which says what to do.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from camdaemon.config.keys import KeyCombination, find_mistakes
from camdaemon.errors import ControlError
from camdaemon.linux.threads import join_or_warn

log = logging.getLogger(__name__)


class _Surface(Protocol):
    """Where the keys come from."""

    def run(self) -> None:
        """In the thread 'hotkeys': calls `press` until `stop`; ControlError when that cannot be, or can no longer."""

    def stop(self) -> None:
        """Make `run` return, now or as soon as it is called. Any thread; returns at once."""


class Hotkeys:
    """Calls `press(action)` when an action's combination is pressed anywhere on the desktop.

    bindings: action → combination, see camdaemon.config.keys.   press: called in the thread 'hotkeys'; returns at once.
    `start` and `stop` are for one thread, the daemon's main one, and raise nothing.
    """

    def __init__(self, bindings: Mapping[str, str], press: Callable[[str], None]) -> None:
        self._bindings, self._press = dict(bindings), press
        self._surface: _Surface | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns at once; the desktop may ask its user for minutes. Without bindings nothing is done."""
        if not self._bindings:
            return
        try:
            self._surface = _surface(self._bindings, self._pressed)
        except Exception as exc:
            self._off(exc)
            return
        self._thread = threading.Thread(target=self._run, args=(self._surface,), name="hotkeys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within 2 s. Harmless when not started or repeated."""
        if self._surface is None or self._thread is None:
            return
        self._surface.stop()
        join_or_warn(self._thread)
        self._surface = self._thread = None

    def _run(self, surface: _Surface) -> None:
        """Body of the thread 'hotkeys'."""
        try:
            surface.run()
        except Exception as exc:
            self._off(exc)

    def _pressed(self, action: str) -> None:
        try:
            self._press(action)
        except Exception:
            log.exception("the hotkey for %s failed; the hotkeys go on", action)

    def _off(self, wrong: Exception) -> None:
        """The one line, for whatever went wrong: the desktop's own settings can always do what we could not."""
        reason = wrong if isinstance(wrong, ControlError) else f"{type(wrong).__name__}: {wrong}"
        commands = ", ".join(f"camdaemon {action} ({text})" for action, text in self._bindings.items())
        log.warning("hotkeys are off: %s; or bind these in your desktop's keyboard settings: %s", reason, commands)


def _surface(bindings: Mapping[str, str], press: Callable[[str], None]) -> _Surface:
    """The right one for this desktop, not yet running; ControlError when there is none or a binding is wrong."""
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
        "neither WAYLAND_DISPLAY nor DISPLAY is set; start camdaemon inside of a desktop (as a service: "
        "systemctl --user import-environment DISPLAY XAUTHORITY WAYLAND_DISPLAY, then restart it)"
    )
