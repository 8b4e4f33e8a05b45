"""One process or many (`torchrun`): who this one is, and the network wrapped so that gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

from camdaemon.errors import ConfigError


class Team(NamedTuple):
    """rank of size; 0 of 1 when alone. device: this process's own."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this one validates, saves and reports."""
        return self.rank == 0

    def agreed(self, value: float) -> float:
        """Rank 0's value, in every process."""
        if self.size == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.broadcast(told, 0)
        return float(told)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
            values /= self.size
        return values

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Around work that the leader does once for all on its machine, the others then find done."""
        if self.size > 1 and not self.leads:
            distributed.barrier()
        yield
        if self.size > 1 and self.leads:
            distributed.barrier()

    def wrapped(self, stage: nn.Module) -> nn.Module:
        """Batch norms synchronised and gradients averaged, where there is more than one process."""
        if self.size == 1:
            return stage
        if self.device.type == "cuda":  # SyncBatchNorm has no CPU form
            stage = nn.SyncBatchNorm.convert_sync_batchnorm(stage)
        ids = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(stage, device_ids=ids)

    def leave(self) -> None:
        """Ends the connection to the others."""
        if self.size > 1:
            distributed.destroy_process_group()


def join(device: str) -> Team:
    """Joins the processes that torchrun started; alone without it. Raises ConfigError."""
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("no CUDA device is usable here; type: --device cpu")
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    team = Team(rank, size, torch.device(device))
    if size > 1:
        if team.device.type == "cuda":
            torch.cuda.set_device(team.device)
        distributed.init_process_group("nccl" if team.device.type == "cuda" else "gloo")
    return team
