"""The matting of files: its weights, its engine, and how much work goes into each picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from camdaemon.config.schema import Config
from camdaemon.daemon.build import matting_settings
from camdaemon.frames.transfer import Device
from camdaemon.matting import Matting, MattingSettings, Purpose, make_matting, require_no_plate
from camdaemon.matting.bgmv2.cpu.matting import CpuMatting
from camdaemon.matting.effort import OFFLINE

if TYPE_CHECKING:
    from camdaemon.matting.bgmv2.floats import Observer


def make_offline_matting(
    config: Config, on: Device, observer: Observer, *, live: bool, plates: bool, in_bytes: bool
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
        matting = _make_network(settings, on, observer, in_bytes=in_bytes)
        if not live:
            matting.effort = OFFLINE
    if not plates:
        require_no_plate(matting)
    return matting


def _make_network(settings: MattingSettings, on: Device, observer: Observer, *, in_bytes: bool) -> Matting:
    if in_bytes:
        chosen = settings.weights, settings.refinement, settings.engine, settings.precision, settings.purpose
        return cast("Matting", CpuMatting(*chosen, exact=True))  # it is given bytes alone
    from camdaemon.matting.bgmv2.floats import FloatMatting

    made = FloatMatting(settings.weights, settings.refinement, on, observer, settings.purpose)
    return cast("Matting", made)  # it is given floats alone
