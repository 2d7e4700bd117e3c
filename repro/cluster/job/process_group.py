"""Several processes of one job, on one node or more, become one `torch.distributed` group.

They talk by gloo on CPUs and by nccl on GPUs. submitit knows our rank and the first node, and
derives a port from the job's number without trying it. So the first process takes that port or the
next free one, and says which in a file of the batch, which every node can read.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro.errors import EnvironmentProblem
from repro.storage.atomic import read_json, to_json, write_atomic

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

PATIENCE = timedelta(hours=1)  # for the slowest node to copy the data and import torch
SLOWEST_STEP = timedelta(hours=1)  # one process may measure or read for long while others wait
PORTS = 50  # tried one after another


@contextlib.contextmanager
def join_group(batch: Path, index: int) -> Iterator[int]:
    """Connect the job's processes while the context is open, if there are several.

    Yield this process's rank.
    """
    if int(os.environ.get("SLURM_NTASKS", "1")) == 1:
        yield 0
        return
    import torch
    import torch.distributed as distributed

    process = _this_process()
    start = f"{os.environ.get('SLURM_JOB_ID', '0')}-{os.environ.get('SLURM_RESTART_COUNT', '0')}"
    meeting = batch / f"{index}.meeting-{start}.json"
    options: dict[str, Any] = {"backend": "gloo"}
    if torch.cuda.is_available() and os.environ.get("REPRO_DEVICE", "cuda").startswith("cuda"):
        card = torch.device("cuda", process.local_rank % torch.cuda.device_count())
        torch.cuda.set_device(card)
        options = {"backend": "nccl", "device_id": card}
    store = _store(meeting, process)
    _wait_for_all(store, process)
    distributed.init_process_group(
        store=store,
        rank=process.rank,
        world_size=process.world_size,
        timeout=SLOWEST_STEP,
        **options,
    )
    try:
        yield process.rank
    finally:
        with contextlib.suppress(RuntimeError):
            distributed.destroy_process_group()
        if process.rank == 0:
            meeting.unlink(missing_ok=True)


def _wait_for_all(store: Store, process: Any) -> None:
    """Wait here for the slowest process, so that the group's own timeout does not count it."""
    store.set(f"arrived-{process.rank}", "")
    store.wait([f"arrived-{other}" for other in range(process.world_size)], PATIENCE)


def _this_process() -> Any:
    """Return submitit's account of this process: its rank, and where the first one is."""
    try:
        from submitit.helpers import TorchDistributedEnvironment
    except ImportError:
        raise EnvironmentProblem(
            "several processes need submitit", "install it where the jobs run"
        ) from None
    return TorchDistributedEnvironment()


def _store(meeting: Path, process: Any) -> Store:
    """Return the group's meeting point: made by the first process, found by the others."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    if process.rank == 0:
        return _open_store(meeting, process)
    end = time.monotonic() + PATIENCE.total_seconds()
    while (address := read_json(meeting)) is None:
        if time.monotonic() > end:
            raise EnvironmentProblem(
                "the first process of this job did not answer",
                "see its log: `repro logs RUN --err`",
            )
        time.sleep(0.2)
    processes = process.world_size
    return TCPStore(address["host"], address["port"], processes, is_master=False, timeout=PATIENCE)


def _open_store(meeting: Path, process: Any) -> Store:
    """Open the meeting point at the first free port, and write down where it is."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    host, port = process.master_addr, process.master_port
    for candidate in range(port, port + PORTS):
        with contextlib.suppress(RuntimeError):  # the port is taken
            store = TCPStore(
                "0.0.0.0",
                candidate,
                process.world_size,
                is_master=True,
                wait_for_workers=False,
                timeout=PATIENCE,
            )
            write_atomic(meeting, to_json({"host": _reachable(host), "port": candidate}))
            return store
    raise EnvironmentProblem(
        f"ports {port} to {port + PORTS - 1} are all taken on {host}", "send the run again"
    )


def _reachable(host: str) -> str:
    """Return the node's name as SLURM gives it, where the network knows it; else the machine's."""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return socket.gethostname()
    return host
