"""Batch norm of a training batch on a CPU, channels last: as exact as the usual layout's, and no slower.

A map that lies in memory as N·H·W rows of C channels is added up by torch row after row, in single precision: each
channel is one sum of 131,072 terms, and rounds like one. The same memory is also a few thousand long rows, in which
every channel stands many times. Added up like that each sum is short; the many short sums of a channel are then put
together in double precision.

One step's gradients then lie as near to those of fp64 as with N×C×H×W maps, where torch sums in double precision
(`tests/training/test_gradients.py`). The sums depend on the number of threads and on nothing else.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ROW = 1024  # numbers in a long row, if the map's size allows


def applies(x: Tensor) -> bool:
    """Whether this map is one that torch would sum naively."""
    naive = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16) and naive


def normalised(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """The map normalised by its own statistics; its mean and its unbiased variance, a number a channel."""
    output: tuple[Tensor, Tensor, Tensor] = _BatchNorm.apply(x, weight, bias, eps)
    return output


class _BatchNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        times, count = _times(x), x.numel() // x.shape[1]
        mean, variance = _statistics(_long(x, times), times)
        y, unused = torch.empty_like(x), torch.empty(0)
        constants = (each.float().repeat(times) for each in (weight, bias, mean, variance))
        torch.ops.aten.native_batch_norm.out(  # with statistics given: one affine map
            _long(x, times), *constants, False, 0.0, eps, out=_long(y, times), save_mean=unused, save_invstd=unused
        )
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt())
        ctx.eps = eps
        unbiased = (variance * (count / max(1, count - 1))).float()
        statistics = mean.float(), unbiased
        ctx.mark_non_differentiable(*statistics)
        return y, *statistics

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, scale = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last)
        if x.dtype == torch.bfloat16:  # its own rounding is a thousand times that of the sums
            saved = weight, None, None, mean.float(), scale.float()
            return *torch.ops.aten.native_batch_norm_backward(dy, x, *saved, True, ctx.eps, [True] * 3), None
        d_weight, d_bias = _sums(dy, x, mean, scale)
        # dx = w·s·(dy - mean(dy) - x̂·mean(dy·x̂)), of which all but dy is an affine map of x
        by_dy, count = weight * scale, x.numel() // x.shape[1]
        by_x = -by_dy * scale * d_weight / count
        constant = -by_dy * d_bias / count - by_x * mean
        dx, times = torch.empty_like(x), _times(x)
        constant, by_x, by_dy = (each.float().repeat(times) for each in (constant, by_x, by_dy))
        torch.addcmul(constant, _rows(x, times), by_x, out=_rows(dx, times))
        _rows(dx, times).addcmul_(_rows(dy, times), by_dy)
        return dx, d_weight.float(), d_bias.float(), None


def _statistics(long: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel, in double precision, from those of its short sums."""
    means, variances = (each.view(times, -1).double() for each in torch.batch_norm_update_stats(long, None, None, 0.0))
    between, mean = torch.var_mean(means, 0, correction=0)
    return mean, variances.mean(0) + between


def _sums(dy: Tensor, x: Tensor, mean: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Σ dy·x̂ and Σ dy of each channel: the gradients of its weight and bias, in double precision."""
    times = _times(x)
    saved = (each.float().repeat(times) for each in (mean, scale))
    _, d_weight, d_bias = torch.ops.aten.native_batch_norm_backward(
        _long(dy, times), _long(x, times), None, None, None, *saved, True, 0.0, [False, True, True]
    )
    return d_weight.view(times, -1).sum(0, dtype=torch.float64), d_bias.view(times, -1).sum(0, dtype=torch.float64)


def _times(x: Tensor) -> int:
    """How many times a channel stands in a long row: a power of two that divides the number of short rows."""
    rows = x.numel() // x.shape[1]
    return min(1 << max(0, (ROW // x.shape[1]).bit_length() - 1), rows & -rows)


def _rows(x: Tensor, times: int) -> Tensor:  # N × C × h × w → rows × (times·C), the same memory
    return x.permute(0, 2, 3, 1).view(-1, times * x.shape[1])


def _long(x: Tensor, times: int) -> Tensor:  # the same, as a map of one image: 1 × (times·C) × rows × 1
    return _rows(x, times)[None, :, None].permute(0, 3, 1, 2)
