"""Several processes that train one net: who takes which part, and what they must agree on.

One process is the ordinary case; every function here is then the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

ASK_EVERY = 10  # iterations between two questions of the processes to each other


@dataclass(frozen=True)
class Share:
    """One process's part of the work: which of the processes it is, and how many there are."""

    rank: int = 0
    processes: int = 1

    @property
    def alone(self) -> bool:
        return self.processes == 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def of(self, count: int) -> slice:
        """Return the part of `count` things: contiguous, and the whole with the other parts."""
        start = self.rank * count // self.processes
        stop = (self.rank + 1) * count // self.processes
        return slice(start, stop)


ALONE = Share()


def share() -> Share:
    """Return the share of the current process."""
    if not _in_a_group():
        return ALONE
    return Share(distributed.get_rank(), distributed.get_world_size())


def total(values: Tensor) -> Tensor:
    """Return the sum over all processes, which is written into `values`."""
    if _in_a_group():
        distributed.all_reduce(values)
    return values


def total_in_memory(values: Tensor) -> Tensor:
    """Return the sum over all processes of values in ordinary memory."""
    if not _in_a_group():
        return values
    if distributed.get_backend() != "nccl":
        return total(values)
    return total(values.cuda()).cpu()  # NCCL moves nothing but what is on a card


def lowest(value: Tensor) -> Tensor:
    """Return the lowest value in any process."""
    if not _in_a_group():
        return value
    value = value.clone()
    distributed.all_reduce(value, distributed.ReduceOp.MIN)
    return value


def any_process(flag: bool, iteration: int, device: torch.device) -> bool:
    """Return whether any process raised this flag; several ask each other now and then only."""
    if not _in_a_group():
        return flag
    if iteration % ASK_EVERY:
        return False
    return bool(total(torch.tensor(int(flag), device=device)))


def copy_statistics(net: nn.Module) -> None:
    """Give every process the first one's batch-norm statistics, which are tested and saved."""
    if _in_a_group():
        for buffer in net.buffers():
            distributed.broadcast(buffer, src=0)


def averaging_gradients(net: nn.Module) -> nn.Module:
    """Return the net as training calls it: its gradients are the mean over all processes.

    A group of one has nothing to average: its step is captured, and talks to nobody.
    Batch-norm statistics are not broadcast at each step: the first process's own are those that
    count, and `copy_statistics` gives them to the others before a test.
    """
    if share().alone:
        return net
    return DistributedDataParallel(
        net, broadcast_buffers=False, gradient_as_bucket_view=True, static_graph=True
    )


def _in_a_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()
