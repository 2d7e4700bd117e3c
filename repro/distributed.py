"""Several processes training one net: who we are, and what we have to agree on. One process is the ordinary case."""

from __future__ import annotations

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def rank() -> int:
    return distributed.get_rank() if _together() else 0


def count() -> int:
    return distributed.get_world_size() if _together() else 1


def total(values: Tensor) -> Tensor:
    """The sum over all processes."""
    if _together():
        distributed.all_reduce(values)
    return values


def lowest(value: Tensor) -> Tensor:
    """The lowest value in any process."""
    if _together():
        value = value.clone()
        distributed.all_reduce(value, distributed.ReduceOp.MIN)
    return value


def agreed(flag: bool, iteration: int, device: torch.device) -> bool:
    """Whether any process raised this flag. Several processes ask each other at every tenth iteration only."""
    if not _together():
        return flag
    return iteration % 10 == 0 and bool(total(torch.tensor(int(flag), device=device)))


def same_statistics(net: nn.Module) -> None:
    """Give every process the first one's batch-norm statistics: the ones that are tested and saved."""
    if _together():
        for buffer in net.buffers():
            distributed.broadcast(buffer, src=0)


def sharing_gradients(net: nn.Module) -> nn.Module:
    """The net as training calls it: its gradients are the mean over all processes."""
    return DistributedDataParallel(net) if _together() else net


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
