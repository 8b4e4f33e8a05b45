"""Frames on their way to where they are computed, and back: on a CPU here, on a GPU by `tensors.transfer`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames import color, picture, pixels
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.handoff import Pool
from camdaemon.frames.pixels import Array
from camdaemon.linux.accelerators import has_cuda_driver

Device: TypeAlias = Literal["cpu", "cuda"]


def choose_device(wanted: str) -> Device:
    """Return the device for 'auto', 'cpu' or 'cuda'. Loads torch only where there may be a GPU for it.

    Raises:
        ConfigError: CUDA is asked for and not there.
    """
    if wanted == "cpu" or (wanted == "auto" and not has_cuda_driver()):
        return "cpu"
    if find_spec("torch") is not None:
        import torch

        if torch.cuda.is_available():
            return "cuda"
        why = "this torch sees no CUDA GPU (driver missing, or a CPU build of torch)"
    else:
        why = "torch is not installed, which runs the network there"
    if wanted == "cuda":
        raise ConfigError(f"device cuda: {why}. Run with: --device auto, or see what is missing: camdaemon doctor")
    return "cpu"


class Transfer(Protocol):
    """Moves frames to a device and back. Single owner: the worker thread, after the daemon has made it.

    Pictures are (1,3,H,W), RGB, of the working size.

    Attributes:
        device: Where they are.
        size: The working size.
        failures: Exceptions of the device that cost a frame and not the daemon, such as too little memory.
    """

    device: Device
    size: Size
    failures: tuple[type[Exception], ...]

    def computing(self) -> AbstractContextManager[object]:
        """Return the context in which the worker thread computes."""

    def pool(self, fmt: PixelFormat, size: Size, count: int = 3) -> Pool:
        """Make a pool of frames in the memory that this device copies fastest."""

    def upload(self, frame: HostFrame) -> Array:
        """Return `frame` as a picture, which on a GPU is valid until the next `upload`.

        A frame of another size is cropped about its center to the working aspect ratio and scaled. `frame` may be used
        again as soon as this returns.
        """

    def upload_picture(self, rgb: NDArray[np.uint8]) -> Array:
        """Copy a picture, uint8 (H,W,3) RGB of any size, to the device: (1,3,H,W)."""

    def download(self, finished: Array, into: HostFrame) -> None:
        """Write `finished` (1,3,H,W), of the working size, into `into.data`; complete when this returns."""

    def release_memory(self) -> None:
        """Free the memory that is kept for later. Raises RuntimeError when the device does not answer."""


class HostTransfer:
    """The CPU's `Transfer`: bytes stay where they are."""

    device: Device = "cpu"
    failures: tuple[type[Exception], ...] = ()

    def __init__(self, size: Size) -> None:
        self.size = size

    def computing(self) -> AbstractContextManager[object]:
        """See `Transfer`."""
        return nullcontext()

    def pool(self, fmt: PixelFormat, size: Size, count: int = 3) -> Pool:
        """See `Transfer`."""
        return Pool(lambda: HostFrame.empty(fmt, size), count)

    def upload(self, frame: HostFrame) -> Array:
        """See `Transfer`."""
        rgb = picture.cover(color.host_to_rgb(frame.data, frame.fmt), self.size)
        return pixels.as_planes(rgb.copy() if rgb is frame.data else rgb)

    def upload_picture(self, rgb: NDArray[np.uint8]) -> Array:
        """See `Transfer`."""
        return pixels.as_planes(np.array(rgb))

    def download(self, finished: Array, into: HostFrame) -> None:
        """See `Transfer`."""
        assert pixels.is_host(finished)
        color.rgb_to_host(pixels.interleave(finished), into.fmt, into.data)

    def release_memory(self) -> None:
        """See `Transfer`. Nothing is kept."""


def open_transfer(device: Device, size: Size) -> Transfer:
    """Return what moves frames of the working `size` to `device` and back."""
    if device == "cpu":
        return HostTransfer(size)
    from camdaemon.frames.tensors.transfer import CudaTransfer

    return CudaTransfer(size)
