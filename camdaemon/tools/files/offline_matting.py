"""The matting of files: its weights, its engine, and how much work goes into each picture."""

from __future__ import annotations

import torch

from camdaemon.config.schema import Config
from camdaemon.daemon.build import matting_settings
from camdaemon.matting import Matting, Purpose, make_matting, require_no_plate
from camdaemon.matting.bgmv2.matting import BackgroundMatting, Observer
from camdaemon.matting.effort import OFFLINE


def make_offline_matting(
    config: Config, on: torch.device, observer: Observer, *, live: bool, plates: bool, in_bytes: bool
) -> Matting:
    """Make the matting of an `OfflinePipeline`; see there.

    Raises:
        ConfigError: As `make_matting` does, or plates are needed and there are none.
    """
    purpose: Purpose = "without_plate" if not plates else "live" if live else "files"
    settings = matting_settings(config, purpose)
    if config.matting != "bgmv2":
        matting = make_matting(config.matting, settings, on)
    else:
        matting = BackgroundMatting(
            settings.weights,
            settings.refinement,
            on,
            settings.engine if in_bytes else "torch",
            settings.precision,
            observer,
            settings.purpose,
            exact=True,
        )
        if not live:
            matting.effort = OFFLINE
    if not plates:
        require_no_plate(matting)
    return matting
