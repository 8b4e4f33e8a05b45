"""Key combinations: their syntax, such as ctrl+alt+p, and how pynput and the XDG specification write them."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from camdaemon.errors import find_closest

# Action → combination. An action is what is typed after `camdaemon ` on the command line.
DEFAULTS = {"plate": "ctrl+alt+p", "next": "ctrl+alt+b", "card": "ctrl+alt+c"}


class _Names(NamedTuple):
    """One key or modifier, for pynput's GlobalHotKeys and as in xkbcommon-keysyms.h (modifiers: xkbcommon-names.h)."""

    pynput: str
    xdg: str


_MODIFIERS = {  # in canonical order
    "ctrl": _Names("<ctrl>", "CTRL"),
    "alt": _Names("<alt>", "ALT"),
    "shift": _Names("<shift>", "SHIFT"),
    "super": _Names("<cmd>", "LOGO"),
}
_FUNCTION = {f"F{n}": _Names(f"<f{n}>", f"F{n}") for n in range(1, 21)}
_FUNCTION |= {f"F{n}": _Names(f"<{0xFFBD + n}>", f"F{n}") for n in range(21, 25)}  # pynput has no names for these
_MEDIA = {
    "playpause": _Names("<media_play_pause>", "XF86AudioPlay"),
    "nexttrack": _Names("<media_next>", "XF86AudioNext"),
    "previoustrack": _Names("<media_previous>", "XF86AudioPrev"),
    "mute": _Names("<media_volume_mute>", "XF86AudioMute"),
    "volumedown": _Names("<media_volume_down>", "XF86AudioLowerVolume"),
    "volumeup": _Names("<media_volume_up>", "XF86AudioRaiseVolume"),
}
_EDITING = {
    "space": _Names("<space>", "space"),
    "tab": _Names("<tab>", "Tab"),
    "enter": _Names("<enter>", "Return"),
    "esc": _Names("<esc>", "Escape"),
    "backspace": _Names("<backspace>", "BackSpace"),
    "delete": _Names("<delete>", "Delete"),
    "insert": _Names("<insert>", "Insert"),
    "home": _Names("<home>", "Home"),
    "end": _Names("<end>", "End"),
    "pageup": _Names("<page_up>", "Page_Up"),
    "pagedown": _Names("<page_down>", "Page_Down"),
    "up": _Names("<up>", "Up"),
    "down": _Names("<down>", "Down"),
    "left": _Names("<left>", "Left"),
    "right": _Names("<right>", "Right"),
    "menu": _Names("<menu>", "Menu"),
    "pause": _Names("<pause>", "Pause"),
    "print": _Names("<print_screen>", "Print"),
}
_SIGNS = {
    "minus": "-", "plus": "+", "equal": "=", "comma": ",", "period": ".", "slash": "/", "backslash": "\\",
    "semicolon": ";", "apostrophe": "'", "grave": "`", "bracketleft": "[", "bracketright": "]",
}  # fmt: skip

_KEYS = {sign: _Names(sign, sign) for sign in string.ascii_lowercase + string.digits}
_KEYS |= {name: _Names(sign, name) for name, sign in _SIGNS.items()}
_KEYS |= _FUNCTION | _MEDIA | _EDITING

_ALSO_MODIFIERS = {"control": "ctrl", "win": "super", "windows": "super", "meta": "super", "logo": "super"}
_ALSO_KEYS = {
    "return": "enter", "escape": "esc", "del": "delete", "ins": "insert", "page_up": "pageup", "pgup": "pageup",
    "page_down": "pagedown", "pgdn": "pagedown", "printscreen": "print", "dot": "period",
}  # fmt: skip

# Every accepted spelling, in lower case → the canonical name.
_MODIFIER = {name: name for name in _MODIFIERS} | _ALSO_MODIFIERS
_KEY = {name.lower(): name for name in _KEYS} | {sign: name for name, sign in _SIGNS.items()} | _ALSO_KEYS


@dataclass(frozen=True)
class KeyCombination:
    """Keys that are pressed together. Two are equal if they are the same keys, in whatever spelling.

    Attributes:
        modifiers: Of ctrl, alt, shift and super, in that order.
        key: A letter, a digit, or a name such as F9 or space.
    """

    modifiers: tuple[str, ...]
    key: str

    @classmethod
    def parse(cls, text: str) -> KeyCombination:
        """Parse a combination in any accepted spelling: 'Shift+control+P' is ctrl+shift+p.

        Raises:
            ValueError: It is not a usable combination; the message says why and what to type.
        """
        normalized = text.removesuffix("++") + "+plus" if text.endswith("++") else text
        *before, last = [part.strip().lower() for part in normalized.split("+")]
        if not last or not all(before):
            raise ValueError(f'"{text}" is incomplete; type a combination such as ctrl+alt+p')
        if last in _MODIFIER:
            raise ValueError(f'"{text}" ends without a key; add one, such as {text.strip()}+p')
        held = {_parse_modifier(part, text) for part in before}
        if last not in _KEY:
            raise ValueError(f'"{text}": there is no key {last}; {_suggest(last, _KEY)}')
        key = _KEY[last]
        if not held - {"shift"} and key not in _FUNCTION | _MEDIA:
            # Shift alone is for typing: a hotkey shift+p would fire at every capital P.
            raise ValueError(f'"{text}" would also fire while typing; add ctrl, alt or super: ctrl+alt+{key}')
        return cls(tuple(name for name in _MODIFIERS if name in held), key)

    def __str__(self) -> str:
        return "+".join([*self.modifiers, self.key])

    @property
    def pynput(self) -> str:
        """As pynput's GlobalHotKeys writes it: <ctrl>+<alt>+p."""
        return "+".join([*(_MODIFIERS[name].pynput for name in self.modifiers), _KEYS[self.key].pynput])

    @property
    def xdg(self) -> str:
        """As the XDG shortcuts specification writes it: CTRL+ALT+p."""
        return "+".join([*(_MODIFIERS[name].xdg for name in self.modifiers), _KEYS[self.key].xdg])


def find_mistakes(bindings: Mapping[str, str]) -> list[str]:
    """Return every mistake in `bindings` (action → combination), one sentence each."""
    mistakes = []
    actions: dict[KeyCombination, list[str]] = {}
    for action, text in bindings.items():
        try:
            actions.setdefault(KeyCombination.parse(text), []).append(action)
        except ValueError as exc:
            mistakes.append(f"{action}: {exc}")
    for combination, names in actions.items():
        if len(names) > 1:
            mistakes.append(f"{combination} is bound to {' and to '.join(names)}; bind each to its own keys")
    return mistakes


def _parse_modifier(part: str, text: str) -> str:
    if part in _MODIFIER:
        return _MODIFIER[part]
    if part in _KEY:
        raise ValueError(f'"{text}" has a key, {part}, before its end; type modifiers, then one key: ctrl+alt+p')
    raise ValueError(f'"{text}": there is no modifier {part}; {_suggest(part, _MODIFIER)}')


def _suggest(word: str, known: Mapping[str, str]) -> str:
    closest = find_closest(word, known)
    if closest:
        return f"did you mean {known[closest]}?"
    if known is _MODIFIER:
        return f"type one of {', '.join(_MODIFIERS)}"
    return f"type a letter, a digit, F1 to F24, or one of {', '.join([*_MEDIA, *_EDITING, *_SIGNS])}"
