"""Out of memory, broken devices and busy ones: failures of the run that say what to change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from repro.cost.memory import gib, memory, memory_here
from repro.definition.run import Run
from repro.distributed import share
from repro.errors import RunFailed, quote
from repro.training.device import device_name

# How torch's errors of a GPU begin that have no class of their own.
_OF_THE_GPU = ("CUDA error", "CUDA driver", "CUDA unknown", "cuDNN error", "NCCL", "No CUDA GPUs")
_CPU_ALLOCATOR = "DefaultCPUAllocator"
_KEPT = "its last checkpoint is kept, and the same command goes on from it"


class DeviceFailure(RunFailed):
    """The device could not go on. The process that saw it should end: its memory may be lost."""

    def __init__(self, problem: str, hint: str, cause: str) -> None:
        super().__init__(problem, f"{hint}; {_KEPT}")
        self.cause = cause  # `memory` or `device`


@contextlib.contextmanager
def device_errors_explained(run: Run, device: torch.device) -> Iterator[None]:
    """Turn what a device refuses within into a failure of the run."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        failure = _explained(error, run, device)
        if failure is None:
            raise
        raise failure from error


def _explained(
    error: MemoryError | RuntimeError, run: Run, device: torch.device
) -> DeviceFailure | None:
    """Return the failure that this error means; None where it is an error of the program."""
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError):
        return _gpu_memory(run, device)
    if isinstance(error, MemoryError) or _CPU_ALLOCATOR in text:
        return _host_memory(run, device)
    if isinstance(error, torch.AcceleratorError) or text.startswith(_OF_THE_GPU):
        return _device(text, device)
    return None


def _gpu_memory(run: Run, device: torch.device) -> DeviceFailure:
    needed = memory(run, True, share().processes).gpu
    size = "an unknown amount"
    with contextlib.suppress(RuntimeError, AssertionError, ValueError):  # a card gone silent
        free, total = torch.cuda.mem_get_info(device)
        size = f"{gib(total)}, of which {gib(free)} are free"
    hints = ["fewer runs at once on this GPU (`--jobs`, `--pack`)", "a larger GPU"]
    hints.append("or several that share the batch (`--gpus 2 --processes 2`)")
    if run.recipe.precision != "bf16":
        hints.append("or `--variant bf16`, which needs about half of it")
    return DeviceFailure(
        f"CUDA out of memory: the run needs about {gib(needed)} by estimate, "
        f"and {_name(device)} has {size}",
        f"use {', '.join(hints)}",
        "memory",
    )


def _host_memory(run: Run, device: torch.device) -> DeviceFailure:
    needed = memory(run, device.type == "cuda", share().processes).host
    return DeviceFailure(
        f"out of memory: the run needs about {gib(needed)} by estimate, "
        f"and this machine has {gib(memory_here())}",
        "run fewer at once (`--jobs`), or ask for more memory (`repro submit … --memory`)",
        "memory",
    )


def _device(text: str, device: torch.device) -> DeviceFailure:
    first_line = text.partition("\n")[0]
    hint = "see `repro doctor`, and the card's state with `nvidia-smi -q`"
    if "busy or unavailable" in text:
        hint = "another process has this GPU, which admits one only: use `--pack 1`, or CUDA's MPS"
    elif "ECC" in text:
        hint = "this card has broken memory: tell the cluster's staff, and use another node"
    return DeviceFailure(f"{_name(device)} cannot go on: {quote(first_line, 200)}", hint, "device")


def _name(device: torch.device) -> str:
    with contextlib.suppress(RuntimeError, AssertionError):
        return quote(device_name(device))
    return quote(device)
