"""Every error that users can meet, and the exit code of the command that it ends.

    CamdaemonError            1   anything that stops a command; the message is for users
    ├── ConfigError           2   a wrong option, file or value; nothing was changed
    │   └── ConfirmationNeeded 2  it would show the room, and has to be asked for twice
    ├── DeviceError           3   a camera or a virtual camera failed (at start; while running: card and back-off)
    │   └── StreamEnded       3   the source has no more frames (a clip that plays once)
    ├── MattingError          1   no trustworthy matte for one frame: that frame becomes the card
    │   └── EngineError       1   the accelerator failed; the frame's content is not the reason
    ├── PlateRefused          1   the plate could not be taken; the previous plate stays
    ├── ControlError          1   no daemon answered, or it refused
    └── Interrupted         130   the user ended it; what was done until then is kept

A message says what failed and why, and ends with what to type: "what failed: why. Run: command".
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would take 20 ms, which every command to the daemon would wait for
if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = "\u00a0\u200c\u200d\u202f\u3000"  # spaces, and joiners of Persian and of emoji: Python calls them unprintable


def printable(text: str, keep: str = "") -> str:
    """Escape in `text` what a terminal obeys or cannot show: control characters, and bytes that were not UTF-8.

    A file may be called anything, and what a message, a log or a status says of it goes to terminals.

    Args:
        text: As Python has names of files: a byte that is no UTF-8 is a lone surrogate.
        keep: Characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _SHOWN or c in keep else _escape(c) for c in text)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


class CamdaemonError(Exception):
    """Base of all errors whose message is for users."""

    exit_code = 1  # of the command line

    def __str__(self) -> str:
        """Return the message, fit for a terminal."""
        return printable(super().__str__(), keep="\n")


class ConfigError(CamdaemonError):
    """A wrong option, file or value. It is raised before anything that runs is changed."""

    exit_code = 2


class ConfirmationNeeded(ConfigError):
    """What was asked for shows the room: it is done when it is asked for once more, on purpose."""


class DeviceError(CamdaemonError):
    """A camera or a virtual camera could not be opened, read or written."""

    exit_code = 3


class StreamEnded(DeviceError):
    """The source has no more frames and never will: an end, not a fault."""


class MattingError(CamdaemonError):
    """No trustworthy matte for this frame."""


class PlateMismatch(MattingError):
    """The plate does not explain this frame: it is of another room, or the camera or the room has moved since."""


class SuddenChange(CamdaemonError):
    """Much changed in this frame at once, and no other has confirmed it: a broken picture, or the camera moved."""


class EngineError(MattingError):
    """The accelerator or the network on it failed: out of memory, a driver error, NaN or infinite output."""


class PlateRefused(CamdaemonError):
    """The plate could not be taken; the message says what moved, or was too dark or too bright."""


class ControlError(CamdaemonError):
    """The running daemon could not be reached, or refused a command."""


class Interrupted(CamdaemonError):
    """The user ended a long work with Ctrl-C or a signal; the message says what is kept and how to go on."""

    exit_code = 130


def find_closest(word: str, choices: Iterable[str]) -> str | None:
    """Return the one of `choices` that `word` is probably a misspelling of; None when none is close."""
    import difflib  # only a mistake needs it

    return next(iter(difflib.get_close_matches(word, choices, 1)), None)


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return 'did you mean X?' with the closest of `choices`, or '' when none is close."""
    closest = find_closest(word, choices)
    return f"did you mean {closest}?" if closest else ""
