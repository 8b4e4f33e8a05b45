"""How well viewers can recognize the room in a backdrop that is made of it: the clean room, or a light blur.

Such a backdrop is the user's own choice and never an accident: commands ask for it twice, a scene or a configuration
that names it is enough but warned of, and what was chosen live does not come back by itself.
"""

from __future__ import annotations

import logging
import math

from camdaemon.config.choices import Choices, Look
from camdaemon.config.schema import Config
from camdaemon.errors import ConfirmationNeeded
from camdaemon.frames.frame import Size
from camdaemon.frames.kinds import room_blur

log = logging.getLogger(__name__)

LIGHT = 1 / 45  # of the frame's height: below this sigma furniture, pictures and screens can be told; 16 px of 720


def room_sigma(look: Look) -> float:
    """Return how much the room is blurred in `look`, in pixels; infinite where it is not shown."""
    own = room_blur(look.backdrop)
    return math.inf if own is None else math.hypot(own, look.blur)


def can_recognize(look: Look, size: Size) -> bool:
    """Whether viewers can recognize the room in `look`, at frames of `size`."""
    return room_sigma(look) < size.height * LIGHT


def ask_twice(wanted: Look, shown: Look, size: Size, command: str) -> None:
    """Raise ConfirmationNeeded if `wanted` shows the room better than `shown` does, and so that it can be recognized.

    Args:
        wanted: How the picture is to look.
        shown: How it looks now.
        size: Of the frames.
        command: What to type to have it all the same.
    """
    if can_recognize(wanted, size) and room_sigma(wanted) < room_sigma(shown):
        what = "the photograph of your room" if room_sigma(wanted) == 0 else "your room, hardly blurred"
        raise ConfirmationNeeded(f"viewers would see {what}. To show it all the same, run: {command}")


def warn_of_room(config: Config, size: Size) -> None:
    """Log which scenes of `config`, and whether its own backdrop, let viewers recognize the room."""
    looks = {"backdrop": Choices().look(config)}
    looks |= {f"scene {name}": Choices().choose_scene(name).look(config) for name in config.scenes}
    for name, look in looks.items():
        if can_recognize(look, size) and (name == "backdrop" or look.backdrop != config.backdrop):
            log.warning("%s: viewers can recognize your room in %s", name, look.backdrop)
