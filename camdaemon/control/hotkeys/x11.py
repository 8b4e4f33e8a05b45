"""Hotkeys under X11, with pynput. It is an optional dependency, imported only when it is used."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any

from camdaemon.config.keys import KeyCombination
from camdaemon.control.hotkeys import Lost
from camdaemon.errors import ControlError

log = logging.getLogger(__name__)

# Keysym → modifier. Alt is called Meta while shift is held. AltGr is no modifier here: it chooses characters.
_MODIFIERS = {
    0xFFE1: "shift", 0xFFE2: "shift", 0xFFE3: "ctrl", 0xFFE4: "ctrl", 0xFFE7: "alt", 0xFFE8: "alt",
    0xFFE9: "alt", 0xFFEA: "alt", 0xFFEB: "super", 0xFFEC: "super",
}  # fmt: skip
_NONE = 0  # no keysym
# Keysym of a character → code of its key on a US keyboard; users of layouts without Latin letters know it by that.
_US_KEYS = {
    ord(character): first + place
    for first, row in ((10, "1234567890-="), (24, "qwertyuiop[]"), (38, "asdfghjkl;'`"), (52, "zxcvbnm,./"))
    for place, character in enumerate(row)
}


class X11Keys:
    """Reports each press once, however long the key is held, and only with exactly the modifiers of its combination.

    So ctrl+alt+shift+p is not ctrl+alt+p: it may belong to another program. NumLock and CapsLock make no difference.
    """

    def __init__(self, bindings: Mapping[str, KeyCombination], press: Callable[[str], None]) -> None:
        self._bindings, self._press = bindings, press
        self._events: SimpleQueue[str | Exception | None] = SimpleQueue()

    def run(self) -> None:
        """Call `press` in this thread until `stop`. Raises ControlError without pynput or the X server."""
        keyboard = _keyboard()
        matcher = _Matcher(keyboard, self._bindings)
        listener = self._listener(keyboard, matcher)
        listener.start()
        log.info("hotkeys: %s", ", ".join(f"{keys} for {action}" for action, keys in self._bindings.items()))
        while (event := self._events.get()) is not None:
            if isinstance(event, Exception):
                raise Lost(f"no keys arrive any more: {_first_line(event)}")
            self._press(event)
        listener.wait()  # it cannot be stopped before it listens
        listener.stop()
        listener.join(1)

    def stop(self) -> None:
        """Make `run` return. Any thread."""
        self._events.put(None)

    def _listener(self, keyboard: Any, matcher: _Matcher) -> Any:
        """Make the thread of pynput, which only queues: it must be back for the next key at once."""
        events = self._events

        class Listener(keyboard.Listener):  # type: ignore[misc]
            def run(self) -> None:
                gone: Exception = EOFError("pynput stopped listening")
                try:
                    super().run()
                except Exception as exc:
                    gone = exc
                events.put(gone)  # never read after `stop`

        def pressed(key: Any) -> None:
            if action := matcher.pressed(_keysym(key)):
                events.put(action)

        return Listener(on_press=pressed, on_release=lambda key: matcher.released(_keysym(key)))


class _Matcher:
    """Turns keysyms that go down and up into actions.

    pynput's own GlobalHotKeys takes shift+1 for the character that shift makes of it, alt after shift for another key,
    and ignores further modifiers.
    """

    def __init__(self, keyboard: Any, bindings: Mapping[str, KeyCombination]) -> None:
        # The last part is the key, and ASCII's keysyms are its codes.
        keys = {action: keyboard.HotKey.parse(wanted.pynput)[-1] for action, wanted in bindings.items()}
        symbols = {action: key.vk or ord(key.char) for action, key in keys.items()}
        self._actions = {(frozenset(bindings[action].modifiers), symbol): action for action, symbol in symbols.items()}
        self._keys = _same_keys(set(symbols.values()))
        self._held: set[str] = set()
        self._down: set[int] = set()

    def pressed(self, symbol: int) -> str | None:
        """Return the action of the key that went down, if it completes a combination. Auto-repeat is one long press."""
        if symbol in _MODIFIERS:
            self._held.add(_MODIFIERS[symbol])
        key = self._keys.get(symbol)
        if key is None or key in self._down:
            return None
        self._down.add(key)
        return self._actions.get((frozenset(self._held), key))

    def released(self, symbol: int) -> None:
        if symbol in _MODIFIERS:
            self._held.discard(_MODIFIERS[symbol])
        self._down.discard(self._keys.get(symbol, _NONE))


def _same_keys(wanted: set[int]) -> dict[int, int]:
    """Map each keysym that the keys of `wanted` give in the first layout, with and without shift, to the wanted one.

    A character that no key gives there is that of the same key on a US keyboard.
    """
    from Xlib.display import Display  # type: ignore[import-untyped, unused-ignore]

    same: dict[int, int] = {}
    display = Display()
    try:
        if not display.has_extension("RECORD"):
            raise ControlError("this X server has no RECORD extension, through which keys are seen. Switch it on")
        for symbol in wanted:
            codes = [code for code, _ in display.keysym_to_keycodes(symbol)]
            if not codes and symbol in _US_KEYS:
                codes.append(_US_KEYS[symbol])
            for code in codes:
                same |= {display.keycode_to_keysym(code, level): symbol for level in (0, 1)}
    finally:
        display.close()
    same.pop(_NONE, None)
    return {**same, **{symbol: symbol for symbol in wanted}}


def _keysym(key: Any) -> int:
    """Return the keysym of pynput's Key or KeyCode; keys of the keypad, and None, have none."""
    return getattr(getattr(key, "value", key), "vk", None) or _NONE


def _keyboard() -> Any:
    """Import pynput.keyboard. That connects to the X server, so anything may go wrong."""
    try:
        from pynput import keyboard
    except Exception as exc:
        if isinstance(exc, ModuleNotFoundError) and exc.name == "pynput":
            raise ControlError("pynput is not installed. Run: pip install 'camdaemon[hotkeys]'") from None
        raise ControlError(
            f"pynput does not work here: {_first_line(exc)}. Check DISPLAY, which is {os.environ.get('DISPLAY')}, "
            "or run: pip install --force-reinstall pynput"
        ) from None
    return keyboard


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
