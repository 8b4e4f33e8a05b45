"""Every error a person can meet, and the exit code it ends the command with.

    CamdaemonError            1   anything that stops a command; the message is for people
    ├── ConfigError           2   a wrong option, file or value; nothing was changed
    ├── DeviceError           3   a camera or a virtual camera failed (at start; while running: card and back-off)
    │   └── StreamEnded       3   the source has no more frames (a clip that plays once)
    ├── MattingError          1   no trustworthy matte for one frame: that frame becomes the card
    │   └── EngineError       1   because the accelerator failed, not because of what is in the frame
    ├── PlateRefused          1   the room could not be photographed; the old plate stays
    └── ControlError          1   no daemon answered, or it said no

A message says what failed, why, and ends with what to type.
"""

from __future__ import annotations

from collections.abc import Iterable


class CamdaemonError(Exception):
    """Base of all errors meant for people. `exit_code` is what the command line exits with."""

    exit_code = 1


class ConfigError(CamdaemonError):
    """A wrong option, file or value. Raised before anything that runs is changed."""

    exit_code = 2


class DeviceError(CamdaemonError):
    """A camera or a virtual camera could not be opened, read or written."""

    exit_code = 3


class StreamEnded(DeviceError):
    """The source has no more frames and never will: an end, not a fault."""


class MattingError(CamdaemonError):
    """No trustworthy matte for this frame."""


class EngineError(MattingError):
    """The accelerator or the network on it failed: too little memory, a driver's error, numbers that are none."""


class PlateRefused(CamdaemonError):
    """The plate could not be taken; the message says what moved or was too dark or too bright."""


class ControlError(CamdaemonError):
    """The running daemon could not be reached, or refused a command."""


def find_closest(word: str, choices: Iterable[str]) -> str | None:
    """Return the one of `choices` that `word` is probably a slip of; None when none is near."""
    import difflib  # only a mistake needs it

    return next(iter(difflib.get_close_matches(word, choices, 1)), None)


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return 'did you mean X?' with the closest of `choices`, or '' when none is near."""
    closest = find_closest(word, choices)
    return f"did you mean {closest}?" if closest else ""
