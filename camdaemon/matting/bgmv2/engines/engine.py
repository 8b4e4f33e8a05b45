"""What an engine is: callables in numpy, whatever computes behind them. float32 at every seam."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Windows at once that engines are fastest with: what they are shown stays in the processor's cache, and refining all of
# a 4K frame does not take gigabytes.
CHUNK = 32
BaseSize = tuple[int, int]  # height and width of the base input, in pixels; even, at least 4


class BaseMaps(NamedTuple):
    """The base network's dense maps, float32, unbounded.

    Attributes:
        visible: (h,w,5): alpha, residual, predicted error.
        features: (h/2,w/2,48): input of the decoder's last convolution, besides the base input. Of the slim network:
            (h/2,w/2,12), the hidden features themselves.
    """

    visible: Floats
    features: Floats


class BaseEngine(Protocol):
    """Runs the base network for inputs of one size. Built in any thread, called by one at a time.

    Attributes:
        name: 'openvino bfloat16', for instance.
    """

    name: str

    def __call__(self, pair: Floats) -> BaseMaps:
        """Run the base network.

        Args:
            pair: Picture, plate and, for a network that doubts it, its confidence: (1,h,w,C), 0..1, contiguous.

        Returns:
            The maps, which the next call leaves alone.

        Raises:
            RuntimeError: The engine failed.
        """


class WindowEngine(Protocol):
    """Runs a network of small windows, any number of them. Any thread may call it at any time."""

    def __call__(self, *windows: NDArray[Any]) -> Floats:
        """Run the network.

        Args:
            windows: (T,·,·,·) each; what they are says the network's module in `windows`. Pictures are uint8, or
                float32 where the engine was built for that.

        Returns:
            (T,·,·,·), which the next call leaves alone.

        Raises:
            RuntimeError: The engine failed.
        """


class Runtime(Protocol):
    """Builds the engines of one network, of one kind. Any thread.

    Attributes:
        name: Of the kind: 'openvino bfloat16', for instance.
    """

    name: str

    def build_base(self, size: BaseSize) -> BaseEngine:
        """Build an engine for base inputs of `size`.

        Raises:
            RuntimeError: This kind does not run the network here.
        """

    def build_refiner(self, *, exact: bool) -> WindowEngine:
        """Build an engine of `windows.TileRefiner`; if it is `exact`, plates are float32. Raises RuntimeError."""

    def build_hidden(self, *, exact: bool) -> WindowEngine:
        """Build an engine of `windows.HiddenBlocks`; if it is `exact`, both pictures are float32. Raises RuntimeError.

        For the published network.
        """


def pad_count(windows: NDArray[Any], count: int) -> NDArray[Any]:
    """Return `windows` (T,…) as (count,…), with zeros behind; `windows` itself if it is of that length."""
    if len(windows) == count:
        return windows
    padded = np.zeros((count, *windows.shape[1:]), windows.dtype)
    padded[: len(windows)] = windows
    return padded
