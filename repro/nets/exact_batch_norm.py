"""Batch norm of a training batch on a CPU, channels last, with exact statistics and no slower.

With channels last, a map lies in memory as N·H·W rows of C channels. Torch adds these rows one by
one in single precision. The sum of a channel then has up to 131,072 terms, and rounds accordingly.
Here the same memory is read as a few long rows, in which every channel occurs many times. Sums over
these rows are short. The short sums of a channel are then added in double precision.

Rounding in the forward pass matters, because it makes ReLUs decide otherwise, and each of them
moves the gradients by about 1e-4. With short sums this happens as rarely as with N×C×H×W maps
(`tests/training/test_gradients.py`). The backward pass keeps torch's own sums: they change no
decision and lose 7e-6. The result depends on the number of threads and on nothing else.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ROW = 1024  # numbers in a long row, if the map's size allows
MIN_ROWS = 8192  # terms that torch may sum naively: no ReLU turns for it


def can_normalise(x: Tensor) -> bool:
    """Return whether torch would sum this map naively, and it is too large for that."""
    naive = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    known = x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16)
    return known and naive and x.numel() > MIN_ROWS * x.shape[1]


def normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the normalised map, and each channel's mean and unbiased variance."""
    output: tuple[Tensor, Tensor, Tensor] = _BatchNorm.apply(x, weight, bias, eps)
    return output


class _BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = _statistics(x)
        # With given statistics it is an affine map.
        y, _, _ = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt())
        ctx.eps = eps
        count = x.numel() // x.shape[1]
        unbiased = variance * (count / max(1, count - 1))
        ctx.mark_non_differentiable(mean, unbiased)
        return y, mean, unbiased

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, scale = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        gradients = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, None, None, mean, scale, True, ctx.eps, [True] * 3
        )
        return *gradients, None


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance of each channel."""
    rows, channels = x.numel() // x.shape[1], x.shape[1]
    # How often a channel stands in a long row: a power of two that divides the rows.
    times = min(1 << max(0, (ROW // channels).bit_length() - 1), rows & -rows, max(1, rows // 2))
    row, count = times * channels, rows // times
    # One image of that many channels.
    long = x.as_strided((1, row, count, 1), (x.numel(), 1, row, row))
    means, variances = torch.zeros(2, row).unbind()
    # At momentum 1 they become the batch's own.
    torch.batch_norm_update_stats(long, means, variances, 1.0)
    between, mean = torch.var_mean(means.view(times, channels).double(), 0, correction=0)
    within = variances.view(times, channels).mean(0, dtype=torch.float64) * ((count - 1) / count)
    return mean.float(), (within + between).float()
