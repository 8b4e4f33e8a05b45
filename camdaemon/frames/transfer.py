"""Moving frames between host and accelerator: the only file with streams, events and pinned memory."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from camdaemon.errors import ConfigError
from camdaemon.frames import color, fused, picture, pixels
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.handoff import Pool


def choose_device(wanted: str) -> torch.device:
    """Return the device for 'auto', 'cpu' or 'cuda'. Raises ConfigError when CUDA is asked for and not there."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device cuda: this torch sees no CUDA GPU (driver missing, or a CPU build of torch); "
            "try --device auto, and see the driver with: nvidia-smi"
        )
    cuda = wanted == "cuda" or (wanted == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if cuda else "cpu")


def release_memory(device: torch.device) -> None:
    """Free the memory that torch keeps of `device` for later. Raises RuntimeError when the device does not answer."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


class Transfer:
    """Moves frames to a device and back. Single owner: the worker thread, after the daemon has made it.

    Tensors are (1,3,H,W), RGB, of the working size.

    Attributes:
        device: Where the tensors are.
        size: The working size.
        dtype: Of the tensors: float16 0..1 on CUDA, bytes 0..255 on the CPU (see `pixels`).
    """

    def __init__(self, device: torch.device, size: Size) -> None:
        self.device = device
        self.size = size
        self.dtype = torch.float16 if device.type == "cuda" else torch.uint8
        self._cuda = device.type == "cuda"
        if self._cuda:
            self._up, self._down = torch.cuda.Stream(device), torch.cuda.Stream(device)
        fuses = fused.is_usable(device)
        self._to_rgb = fused.to_rgb if fuses else color.device_to_rgb
        self._from_rgb = fused.from_rgb if fuses else color.device_from_rgb

    def pool(self, fmt: PixelFormat, size: Size, count: int = 3) -> Pool:
        """Make a pool of frames in the memory that this device copies fastest: pinned for CUDA."""

        def make() -> HostFrame:
            if not self._cuda:
                return HostFrame.empty(fmt, size)
            return HostFrame(torch.zeros(fmt.shape(size), dtype=torch.uint8, pin_memory=True).numpy(), fmt, size)

        return Pool(make, count)

    def upload(self, frame: HostFrame) -> Tensor:
        """Return `frame` as a tensor, which on a GPU is valid until the next `upload`.

        A frame of another size is cropped about its center to the working aspect ratio and scaled. `frame` may be used
        again as soon as this returns.
        """
        if self._cuda:
            return self._upload_cuda(frame)
        rgb = picture.cover(color.host_to_rgb(frame.data, frame.fmt), self.size)
        return pixels.tensor(rgb.copy() if rgb is frame.data else rgb)

    def _upload_cuda(self, frame: HostFrame) -> Tensor:
        with torch.cuda.stream(self._up):
            raw = torch.from_numpy(frame.data).to(self.device, non_blocking=True)
            copied = torch.cuda.Event()
            copied.record()
        compute = torch.cuda.current_stream(self.device)
        compute.wait_event(copied)
        raw.record_stream(compute)
        rgb = self._to_rgb(raw, frame.fmt, self.dtype)
        if frame.size != self.size:
            x, y, width, height = self.size.cover(frame.size.width, frame.size.height)
            cut = rgb[:, :, y : y + height, x : x + width]
            rgb = F.interpolate(cut, (self.size.height, self.size.width), mode="bilinear", antialias=True)
        copied.synchronize()  # the host buffer goes back to the pool now; the conversion is already queued behind it
        return rgb

    def upload_picture(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Copy a picture, uint8 (H,W,3) RGB of any size, into a tensor (1,3,H,W) of `dtype`."""
        if not self._cuda:
            return pixels.tensor(np.array(rgb))
        picture_bytes = torch.from_numpy(np.ascontiguousarray(rgb)).to(self.device)
        return picture_bytes.permute(2, 0, 1)[None].to(self.dtype).contiguous() / 255

    def download(self, finished: Tensor, into: HostFrame) -> None:
        """Write `finished` (1,3,H,W), of the working size, into `into.data`; complete when this returns."""
        if self._cuda:
            self._download_cuda(finished, into)
            return
        color.rgb_to_host(pixels.array(finished), into.fmt, into.data)

    def _download_cuda(self, finished: Tensor, into: HostFrame) -> None:
        packed = self._from_rgb(finished, into.fmt)
        self._down.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._down):
            torch.from_numpy(into.data).copy_(packed, non_blocking=True)
            packed.record_stream(self._down)
        self._down.synchronize()
