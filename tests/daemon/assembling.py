"""A pipeline made of a configuration, as `camdaemon run` makes it; nothing runs yet."""

from __future__ import annotations

from camdaemon.config.choices import Choices
from camdaemon.config.schema import Config
from camdaemon.daemon.build import build
from camdaemon.daemon.opening import Playing, open_ends
from camdaemon.pipeline.threads import Pipeline


def assemble(config: Config, choices: Choices | None = None) -> Pipeline:
    """Open the ends and make the pipeline between them; they are closed where that fails."""
    playing = Playing()
    ends = open_ends(config, playing)
    try:
        return build(config, playing, ends, choices)
    except BaseException:
        ends.close()
        raise
