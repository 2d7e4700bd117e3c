"""What the machine can do at most: its best matrix product, convolution and copy."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch.nn import functional

SIDES = {"cpu": 2048, "cuda": 8192}  # of a large matrix product
SECONDS = 0.3  # about, for each measurement
OPERATIONS = 100  # between two marks in a GPU's own time, so that launching them is not measured


def product(precision: str, device: str = "cpu", side: int | None = None) -> Callable[[], float]:
    """GFLOP/s of a square matrix product, a large one unless its side is given."""
    side = side or SIDES[device.partition(":")[0]]
    a, b = (torch.randn(side, side, dtype=_type(precision), device=device) for _ in range(2))
    return _rate(lambda: a @ b, 2e-9 * side**3, device, precision)


def convolution(
    precision: str, device: str = "cpu", count: int = 32, channels: int = 128, side: int = 32
) -> Callable[[], float]:
    """GFLOP/s of a 3×3 convolution, channels last; a wide one unless its sizes are given."""
    maps = torch.randn(count, channels, side, side, dtype=_type(precision), device=device)
    maps = maps.to(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3, dtype=_type(precision), device=device)
    weight = weight.to(memory_format=torch.channels_last)
    work = 2e-9 * count * side**2 * channels**2 * 9
    return _rate(lambda: functional.conv2d(maps, weight, padding=1), work, device, precision)


def copy(device: str = "cpu", mebibytes: int = 256) -> Callable[[], float]:
    """Return GB/s of a copy, read and written. 8 MiB stay in a cache, as a small net's maps do."""
    source = torch.ones(mebibytes * 2**18, device=device)
    target = torch.empty_like(source)
    return _rate(lambda: target.copy_(source), 2e-9 * source.nbytes, device)


def _rate(
    work: Callable[[], object], amount: float, device: str, precision: str = "fp32"
) -> Callable[[], float]:
    """The best of as many repetitions as fit: a limit is what can be reached, not what is usual."""
    timed = _one_operation if device == "cpu" else _many_operations

    @torch.inference_mode()
    def best() -> float:
        # torch computes convolutions in TensorFloat-32 where it may, unless it is told not to.
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        fastest, until = float("inf"), time.perf_counter() + SECONDS
        while fastest == float("inf") or time.perf_counter() < until:
            fastest = min(fastest, timed(work))
        return amount / fastest

    return best


def _one_operation(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _many_operations(work: Callable[[], object]) -> float:
    """Return the seconds of one operation on a GPU, as its own clock has them."""
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(OPERATIONS):
        work()
    last.record()
    last.synchronize()
    return float(first.elapsed_time(last)) / 1000 / OPERATIONS


def _type(precision: str) -> torch.dtype:
    return torch.bfloat16 if precision == "bf16" else torch.float32
