"""Batch norm of all groups at once, for GPUs: the numbers of one group after another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from repro.nets.batch_norm import BatchNorm
from repro.nets.grouped_batch_norm import normalise

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def images(dtype: torch.dtype, layout: torch.memory_format) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(12, 5, 6, 7, generator=generator) * 3 + 1
    return x.to(dtype).contiguous(memory_format=layout)


def gammas() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    weight, bias = torch.randn(2, 5, generator=generator).unbind()
    return weight, bias


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_outputs_statistics_and_gradients_are_those_of_the_groups_apart(
    layout: torch.memory_format, dtype: torch.dtype, near: float
) -> None:
    x = images(dtype, layout).requires_grad_()
    weight, bias = (value.to(dtype).requires_grad_() for value in gammas())
    y, mean, variance = normalise(x, 3, weight, bias, 1e-5)
    y.pow(3).sum().backward()

    other = images(dtype, layout).requires_grad_()
    norm = nn.BatchNorm2d(5).to(dtype)
    with torch.no_grad():
        norm.weight.copy_(weight)
        norm.bias.copy_(bias)
    expected = torch.cat([norm(part) for part in other.split(4)])
    expected.pow(3).sum().backward()

    parts = other.detach().split(4)
    of_groups = torch.stack([torch.stack(torch.var_mean(part, (0, 2, 3))) for part in parts])
    torch.testing.assert_close(y, expected, rtol=near, atol=near)
    torch.testing.assert_close(torch.stack([variance, mean]), of_groups.mean(0))
    for ours, theirs in ((x, other), (weight, norm.weight), (bias, norm.bias)):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=100 * near, atol=100 * near)
    assert y.is_contiguous(memory_format=layout)


def test_bf16_images_keep_their_kind_and_are_summed_in_fp32() -> None:
    x = images(torch.bfloat16, torch.channels_last).requires_grad_()
    weight, bias = gammas()
    y, mean, _ = normalise(x, 3, weight, bias, 1e-5)
    y.float().sum().backward()
    exact, exact_mean, _ = normalise(x.detach().double(), 3, weight.double(), bias.double(), 1e-5)
    assert y.dtype == x.grad.dtype == torch.bfloat16
    assert mean.dtype == torch.float32
    torch.testing.assert_close(mean.double(), exact_mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(y.double(), exact, rtol=1e-2, atol=2e-2)


def test_a_layer_on_another_device_than_a_processor_takes_all_groups_at_once() -> None:
    layer = BatchNorm(5, group=4).to("meta")
    x = torch.empty(12, 5, 6, 7, device="meta")
    kernels = count_calls(layer, x)
    many = count_calls(BatchNorm(5, group=1).to("meta"), x)
    assert kernels == many < 30


def count_calls(layer: BatchNorm, x: Tensor) -> int:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counter(TorchDispatchMode):
        calls = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.calls += 1
            return function(*args, **(kwargs or {}))

    with Counter() as counter:
        layer(x)
    return counter.calls
