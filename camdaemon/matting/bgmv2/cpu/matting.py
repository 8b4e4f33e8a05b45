"""Background Matting V2 as a `Matting` of bytes on a CPU: weights, sizes, engines, and failures as errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from camdaemon.errors import EngineError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.matting import Purpose, Refinement
from camdaemon.matting.bgmv2.cpu.base import NetworkShape
from camdaemon.matting.bgmv2.cpu.cache import CpuNetworkCache
from camdaemon.matting.bgmv2.cpu.network import CpuNetwork
from camdaemon.matting.bgmv2.cpu.tile_windows import ByteArray, Levels
from camdaemon.matting.bgmv2.engines.engine import Floats
from camdaemon.matting.bgmv2.engines.opening import open_engines
from camdaemon.matting.bgmv2.failures import as_engine_errors, first_line, require_finite
from camdaemon.matting.bgmv2.sizes import SizedMatting
from camdaemon.matting.bgmv2.weights import find_weights


class CpuMatting(SizedMatting):
    """A network as a matting of bytes (see the protocol `Matting`). No state passes from one frame to the next.

    Args:
        weights: See `find_weights`; without a refiner the matte is the upsampled coarse one.
        refine: What the configuration fixes of the refinement; the rest is up to the effort.
        engine: What runs the network: 'auto', 'openvino' or 'torch'; see `open_engines`.
        precision: Its number format: 'auto', 'float32', 'bfloat16' or 'int8'.
        purpose: What the mattes are for: it decides which weights are the default.
        exact: Whether mattes are those in floats to a level of 255; see `CpuNetwork`. Then the plate of the published
            network may be float32, 0..255.

    Attributes:
        frames_ahead: How many frames after the present one `prepare` may begin with.

    Raises:
        ConfigError: The weights cannot be read or do not fit, the engine is not installed, or the processor lacks the
            precision.
    """

    def __init__(
        self,
        weights: str,
        refine: Refinement,
        engine: str = "auto",
        precision: str = "auto",
        purpose: Purpose = "live",
        *,
        exact: bool = False,
    ) -> None:
        engines = open_engines(find_weights(weights, purpose, "cpu"), engine, precision)
        doubts = engines.layout.doubts
        super().__init__(refine, "cpu", doubts=doubts, sides="cells" if doubts else "even")
        # What is exact serves films, whose next frames are there before their turn.
        self.frames_ahead = 2 if exact and not doubts else 1
        build = partial(CpuNetwork, engines, exact=exact, frames_ahead=self.frames_ahead)
        self._networks = CpuNetworkCache(build)

    @property
    def settled(self) -> bool:
        """Whether the effort is in force; see `Matting`. A base input of another size needs another network."""
        current = self._networks.current
        return self._networks.is_settled and (current is None or current.is_settled)

    @property
    def engine(self) -> str:
        """Name of the engine that ran last: 'openvino bfloat16', for instance; '' before the first frame."""
        current = self._networks.current
        return "" if current is None else current.engine.name

    def prepared_cost(self, seconds: float) -> float:
        """Return what the last frame would have cost if it had been prepared; see `Matting`."""
        current = self._networks.current
        return seconds if current is None else current.prepared_cost(seconds)

    def warm_up(self, size: Size) -> None:
        """Matte noise once, of which as much is refined as of any frame; see `Matting`."""
        rng = np.random.default_rng(1)
        src, plate = (rng.integers(0, 256, (size.height, size.width, 3), np.uint8) for _ in range(2))
        self(pixels.as_planes(src), pixels.as_planes(plate), None, -1)

    def build(self, size: Size) -> None:
        """Build what frames of `size` need without matting any: the first one then takes a bit longer.

        Raises:
            EngineError: No engine runs the network.
        """
        try:
            self._network_for((size.height, size.width))
        except (RuntimeError, ValueError) as exc:
            raise EngineError(f"no engine runs the network: {first_line(exc)}. Run with: --engine torch") from exc

    def prepare(self, src: ByteArray, plate: Levels, confidence: Floats | None) -> None:
        """Begin with the next frame; see `Matting`."""
        current = self._networks.current
        if current is not None and current.shape.frame == src.shape[2:]:
            current.prepare(src, plate, confidence, self.choose_sizes(*current.shape.frame)[1])

    def __call__(
        self,
        src: ByteArray,
        plate: Levels,
        confidence: Floats | None,
        seq: int,
        halfway: Callable[[], None] | None = None,
    ) -> Matte:
        """Matte a frame; see `Matting`."""
        size = src.shape[2], src.shape[3]
        with as_engine_errors(seq, size, "cpu"):
            selection = self.choose_sizes(*size)[1]
            alpha, foreground, finite = self._network_for(size)(src, plate, confidence, selection, halfway)
        require_finite(finite, seq, "float32")
        return Matte(alpha, foreground, seq)

    def _network_for(self, frame: tuple[int, int]) -> CpuNetwork:
        """Return the network for frames of height and width `frame` at the current effort.

        After a change of the effort this starts a build in another thread, and returns the previous network, with a
        base input of another size, until that is done.
        """
        return self._networks.get_or_build_async(NetworkShape(frame, self.choose_sizes(*frame)[0]))
