"""Mattings: how the person is told from the room. `camdaemon.frames.kinds` lists them; each is one file here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from camdaemon.errors import ConfigError
from camdaemon.frames import kinds

if TYPE_CHECKING:
    from camdaemon.frames.composite import Matte
    from camdaemon.frames.frame import Size
    from camdaemon.frames.pixels import Array
    from camdaemon.matting.effort import Effort


Purpose = Literal["live", "files", "without_plate"]  # which weights are the default


@dataclass(frozen=True, slots=True)
class Refinement:
    """Which 4×4 patches a refiner works on (Lin et al. 2021 §3.3).

    Attributes:
        mode: 'sampling' refines the patches with the largest predicted errors, 'thresholding' those above a threshold,
            'full' all of them.
        pixels: For sampling: pixels refined in each frame; None leaves it to the effort.
        threshold: For thresholding: predicted error, 0..1, above which a patch is refined.
        scale: The base network's share of the frame's width and height, above 0 to 1; None leaves it to the effort.
    """

    mode: Literal["sampling", "thresholding", "full"] = "sampling"
    pixels: int | None = None
    threshold: float = 0.1
    scale: float | None = None


@dataclass(frozen=True, slots=True)
class MattingSettings:
    """What a user may set for a matting. Each kind uses what applies to it.

    Attributes:
        weights: 'default', 'published' or 'slim', or the path of a checkpoint.
        engine: What runs the network without CUDA: 'auto' is OpenVINO's fastest; or 'torch' or 'openvino', on the CPU.
        precision: The network's number format on a CPU: 'auto', 'float32', 'bfloat16', or 'int8'.
        refinement: Which patches a refiner works on.
        purpose: What the mattes are for: it decides which weights are the default.
    """

    weights: str = "default"
    engine: str = "auto"
    precision: str = "auto"
    refinement: Refinement = Refinement()
    purpose: Purpose = "live"


class Matting(Protocol):
    """Computes mattes. Made by the daemon; only the worker touches it afterwards.

    Attributes:
        name: The kind's name.
        doubts: Whether it is told how far to trust each part of a plate; the others believe it everywhere.
        effort: How carefully to work on the next frame; the worker may set it.
        ladder: The efforts that the governor may choose among, best first.
    """

    name: str
    doubts: bool
    effort: Effort
    ladder: tuple[Effort, ...]

    @property
    def settled(self) -> bool:
        """Whether `effort` is fully in force; until then a frame's cost says nothing about that effort."""

    def prepared_cost(self, seconds: float) -> float:
        """Return what the last frame would have cost if it had been prepared in time, in seconds.

        Args:
            seconds: That it took of the worker.
        """

    def warm_up(self, size: Size) -> None:
        """Do the slow first run, for frames of `size`.

        Raises:
            MattingError: The device cannot do it.
        """

    def prepare(self, src: Array, plate: Array, confidence: Array | None) -> None:
        """Begin with a frame, the present one or one that comes next, if that saves time; return at once.

        The result of `__call__` is the same with and without it; there, all arguments may be others. See there.
        """

    def __call__(
        self,
        src: Array,
        plate: Array,
        confidence: Array | None,
        seq: int,
        halfway: Callable[[], None] | None = None,
    ) -> Matte:
        """Compute the matte of one frame. The result is of this frame, never of another.

        Args:
            src: The camera's picture, (1,3,H,W), RGB: an array of bytes 0..255 on the CPU, else a tensor of floats
                0..1. Not changed.
            plate: The empty room at the exposure of `src`, of its kind. Not changed. What is prepared from it is kept
                for as long as it is the same object.
            confidence: How far to trust each part of the plate: float32 (1,1,rows,columns), 0..1, an array or a tensor
                as `src` is, one value for each block of the picture, however many there are. 0: nothing is known of the
                room there; 1: it was photographed. None: it is known everywhere. May differ in each frame. Ignored by
                a matting that does not doubt. Not changed.
            seq: The frame's number, for `Matte.seq`.
            halfway: Called in this thread once what `prepare` does is done for this frame: time to prepare the next.

        Raises:
            MattingError: The matte cannot be computed, out of memory included.
        """


class MattingClass(Protocol):
    """The class of a kind of matting: what is known before one is opened, and how to open it.

    Attributes:
        uses_weights: Whether it is a network whose weights can be named.
    """

    uses_weights: bool

    def open(self, settings: MattingSettings, device: str) -> Matting:
        """Make the matting; see `make_matting`."""


def find_matting(name: str) -> MattingClass:
    """Return the class of the matting called `name`.

    Raises:
        ConfigError: There is no such matting.
    """
    found: MattingClass = kinds.find_class(kinds.MATTINGS, name, "matting", "camdaemon run --matting bgmv2")
    return found


def require_no_plate(matting: Matting) -> None:
    """Raise ConfigError if `matting` can do nothing without a plate."""
    if not matting.doubts:
        raise ConfigError("--plate none needs weights that work without a plate. Run with: --weights slim")


def make_matting(name: str, settings: MattingSettings, device: str) -> Matting:
    """Make the matting called `name` on a device, 'cpu' or 'cuda'.

    Raises:
        ConfigError: There is no such matting, or it cannot be made so: weights that do not load, an engine that is not
            installed, too little memory on the device.
    """
    return find_matting(name).open(settings, device)
