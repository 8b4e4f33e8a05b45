"""Background Matting V2 as a kind of matting: in bytes on a CPU, in floats on an accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from camdaemon.matting import Matting, MattingSettings

if TYPE_CHECKING:
    from camdaemon.matting.bgmv2.cpu.matting import CpuMatting
    from camdaemon.matting.bgmv2.floats import FloatMatting


class BackgroundMatting:
    """Matting by Lin et al. 2021 (see `MattingClass`)."""

    uses_weights = True

    @classmethod
    def open(cls, settings: MattingSettings, device: str) -> Matting:
        """Make the matting; see `MattingClass`. On a CPU without torch, unless torch is to run it.

        Raises:
            ConfigError: The weights cannot be read or do not fit, the device has too little memory, the engine is not
                installed, or the device lacks the precision.
        """
        made: CpuMatting | FloatMatting  # each takes what pictures are on its device
        if device == "cpu":
            from camdaemon.matting.bgmv2.cpu.matting import CpuMatting

            made = CpuMatting(
                settings.weights, settings.refinement, settings.engine, settings.precision, settings.purpose
            )
        else:
            from camdaemon.matting.bgmv2.floats import FloatMatting

            made = FloatMatting(settings.weights, settings.refinement, device, purpose=settings.purpose)
        return cast(Matting, made)
