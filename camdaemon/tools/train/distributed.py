"""Several processes (`torchrun`) and mixed precision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn
from torch.optim import Optimizer

from camdaemon.errors import ConfigError
from camdaemon.matting.bgmv2.engines.torch_engine import has_bfloat16
from camdaemon.tools.train.recipe import Precision


class ProcessGroup(NamedTuple):
    """The processes of a run, seen from one of them.

    Attributes:
        rank: Number of this process; 0 if alone.
        size: Number of processes.
        device: Of this process.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_leader(self) -> bool:
        """Whether this process validates, saves and reports."""
        return self.rank == 0

    def broadcast(self, value: float) -> float:
        """Return the value of rank 0, in every process."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.broadcast(told, 0)
        return float(told)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over the processes."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
            values /= self.size
        return values

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Run the block in the leader first, then in the others, which find its work done."""
        if self.size > 1 and not self.is_leader:
            distributed.barrier()
        yield
        if self.size > 1 and self.is_leader:
            distributed.barrier()

    def wrap(self, stage: nn.Module, *, learns_norms: bool) -> nn.Module:
        """Average gradients, and the statistics of batch norms that learn them, if there is more than one process."""
        if self.size == 1:
            return stage
        if learns_norms and self.device.type == "cuda":  # SyncBatchNorm has no CPU form
            stage = nn.SyncBatchNorm.convert_sync_batchnorm(stage)
        ids = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(stage, device_ids=ids)

    def close(self) -> None:
        """Close the connection to the other processes."""
        if self.size > 1:
            distributed.destroy_process_group()


def join_processes(device: str) -> ProcessGroup:
    """Join the processes that torchrun started; without torchrun there is only this one.

    Raises:
        ConfigError: There is no usable CUDA device.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("no usable CUDA device. Run with: --device cpu")
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    group = ProcessGroup(rank, size, torch.device(device))
    if size > 1:
        if group.device.type == "cuda":
            torch.cuda.set_device(group.device)
        distributed.init_process_group("nccl" if group.device.type == "cuda" else "gloo")
    return group


class MixedPrecision:
    """bfloat16 where the processor computes in it, float16 with a scaled loss on older GPUs; weights stay float32."""

    def __init__(self, precision: Precision, device: torch.device) -> None:
        if precision == "auto":
            precision = _choose_precision(device.type)
        self._device = device.type
        self._dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}[precision]
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16" and device.type == "cuda")

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context for the forward pass."""
        return torch.autocast(self._device, self._dtype, enabled=self._dtype is not None)

    def step(self, loss: Tensor, optimizer: Optimizer, limit: float) -> None:
        """Run the backward pass and one optimizer step, gradient norm clipped to `limit`.

        A step with infinite gradients is skipped, and one without any, in whose batch nothing was refined.
        """
        if not loss.requires_grad:
            return
        optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
        if self._scaler.is_enabled() or bool(norm.isfinite()):
            self._scaler.step(optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, object]:
        """Return the state for a checkpoint."""
        return dict(self._scaler.state_dict())

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore the state from a checkpoint."""
        if state:
            self._scaler.load_state_dict(state)


def _choose_precision(device: str) -> Precision:
    if device == "cpu":
        return "bf16" if has_bfloat16() else "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
