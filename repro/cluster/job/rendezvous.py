"""Several processes of one job, on one node or more, become one `torch.distributed` group: gloo on CPUs, nccl on GPUs.

submitit knows our rank and the first node, and derives a port from the job's number without trying it. So the first
process takes that port or the next free one, and says which in a file of the batch, which every node can read.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from repro.errors import EnvironmentProblem
from repro.storage.atomic import read_json, to_json, write_atomic

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

PATIENCE = timedelta(hours=1)  # for the slowest node to copy the data and import torch
TIMEOUT = timedelta(hours=1)  # for the slowest process to reach what all of them do together
PORTS = 50  # tried one after another


@contextlib.contextmanager
def join_group(batch: Path, index: int) -> Iterator[int]:
    """Inside, `torch.distributed` connects the job's processes, if there are several. Yields this process's rank."""
    if int(os.environ.get("SLURM_NTASKS", "1")) == 1:
        yield 0
        return
    import torch
    import torch.distributed as distributed

    rank, processes, local_rank, host, port = _who_we_are()
    start = f"{os.environ.get('SLURM_JOB_ID', '0')}-{os.environ.get('SLURM_RESTART_COUNT', '0')}"
    meeting = batch / f"{index}.meeting-{start}.json"
    store = _store(meeting, rank, processes, host, port)
    _wait_for_all(store, rank, processes)
    on_gpu = torch.cuda.is_available() and os.environ.get("REPRO_DEVICE", "cuda").startswith("cuda")
    backend, device = "gloo", None
    if on_gpu:
        backend = "nccl"
        device = torch.device("cuda", local_rank % torch.cuda.device_count())
        torch.cuda.set_device(device)
    distributed.init_process_group(
        backend, timeout=TIMEOUT, store=store, rank=rank, world_size=processes, device_id=device
    )
    try:
        yield rank
    finally:
        with contextlib.suppress(RuntimeError):
            distributed.destroy_process_group()
        if rank == 0:
            meeting.unlink(missing_ok=True)


def _wait_for_all(store: Store, rank: int, processes: int) -> None:
    """Wait here for the slowest process, so that the group's own timeout does not count it."""
    store.set(f"arrived-{rank}", "")
    store.wait([f"arrived-{other}" for other in range(processes)], PATIENCE)


def _who_we_are() -> tuple[int, int, int, str, int]:
    try:
        from submitit.helpers import TorchDistributedEnvironment
    except ImportError:
        raise EnvironmentProblem(
            "several processes need submitit", "install it where the jobs run"
        ) from None
    where = TorchDistributedEnvironment()
    return where.rank, where.world_size, where.local_rank, where.master_addr, where.master_port


def _store(meeting: Path, rank: int, processes: int, host: str, port: int) -> Store:
    """The group's meeting point: made by the first process, found by the others."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    if rank == 0:
        for tried in range(port, port + PORTS):
            with contextlib.suppress(RuntimeError):  # the port is taken
                store = TCPStore(
                    "0.0.0.0",
                    tried,
                    processes,
                    is_master=True,
                    wait_for_workers=False,
                    timeout=PATIENCE,
                )
                write_atomic(meeting, to_json({"host": _reachable(host), "port": tried}))
                return store
        raise EnvironmentProblem(
            f"ports {port} to {port + PORTS - 1} are all taken on {host}", "send the run again"
        )
    end = time.monotonic() + PATIENCE.total_seconds()
    while (place := read_json(meeting)) is None:
        if time.monotonic() > end:
            raise EnvironmentProblem(
                "the first process of this job never came", "see its log: `repro logs RUN --err`"
            )
        time.sleep(0.2)
    return TCPStore(place["host"], place["port"], processes, is_master=False, timeout=PATIENCE)


def _reachable(host: str) -> str:
    """The node's name as SLURM gives it, where the network knows it; else as the machine calls itself."""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return socket.gethostname()
    return host
