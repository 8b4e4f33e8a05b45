"""What comes back at the start: whether this run remembers, and its first backdrop, as chosen or as configured."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from camdaemon.backdrop import Backdrop, make_backdrop
from camdaemon.capture import find_source
from camdaemon.config.choices import Choices, Look
from camdaemon.config.schema import Config
from camdaemon.control.memory import Memory, state_file
from camdaemon.control.room import can_recognize, room_sigma
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.frames.kinds import SINKS, find_kind

if TYPE_CHECKING:
    from camdaemon.daemon.opening import Playing

log = logging.getLogger(__name__)


def memory_for(config: Config, playing: Playing, typed: Mapping[str, Any], *, fresh: bool) -> Memory | None:
    """Return what keeps the choices of this run; None for a clip that goes into a file, which looks as configured.

    Args:
        config: Of this run.
        playing: Whether a clip goes as fast as possible, into a file.
        typed: The command line's values by setting; None means not given.
        fresh: Whether to forget what was chosen before.
    """
    sink = find_kind(SINKS, config.sink)
    into_file = sink is not None and sink.is_path and not find_source(config.source).live
    if into_file or not playing.paced:
        return None
    named = frozenset(name for name in Look._fields if typed.get(name) is not None)
    try:
        return Memory(state_file(), named, fresh=fresh)
    except ConfigError as exc:
        log.warning("what you choose is not kept: %s", exc)
        return None


def recall(memory: Memory, config: Config) -> Choices:
    """Return what was chosen before and still holds, and say in the log that it does."""
    choices = memory.recall(config)
    chosen = [*([f"scene {choices.scene}"] if choices.scene else []), *choices.values]
    if chosen:
        log.info("as chosen before: %s. To have it as configured: camdaemon reset", ", ".join(chosen))
    if choices.card:
        log.warning("card on, as before. To take it off: camdaemon card off")
    return choices


def restore_backdrop(config: Config, choices: Choices, size: Size, *, paced: bool = True) -> tuple[Backdrop, Look]:
    """Make the backdrop to begin with, and say how the picture looks with it.

    The clean room and a light blur come back only if the configuration asks for them. What cannot or may not come back
    is one line in the log, stays remembered, and is replaced by what is configured. `paced`: see `make_backdrop`.

    Raises:
        ConfigError: What is configured cannot be shown.
    """
    make = partial(make_backdrop, paced=paced)
    look = choices.look(config)
    plain = look._replace(backdrop=config.backdrop, blur=config.blur)
    again = f"camdaemon backdrop {look.backdrop}"
    if choices.scene is not None and "backdrop" not in choices.values:
        again = f"camdaemon scene {choices.scene}"
    if _is_clearer(look, plain, size):
        log.warning("backdrop %s: not shown again unasked, because it shows the room. Run: %s", look.backdrop, again)
        look = plain
    if look.backdrop == config.backdrop:
        return make(config.backdrop, size), look
    try:
        return make(look.backdrop, size), look
    except ConfigError as exc:
        log.warning("chosen backdrop not shown again, %s shows: %s", config.backdrop, exc)
        return make(config.backdrop, size), plain


def _is_clearer(look: Look, configured: Look, size: Size) -> bool:
    """Whether the room could be recognized in `look`, and better than in what is configured."""
    return can_recognize(look, size) and room_sigma(look) < room_sigma(configured)
