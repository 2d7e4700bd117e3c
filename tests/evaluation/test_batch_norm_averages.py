"""Re-estimated statistics are the true means over the images, of every layer."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from repro.evaluation.batch_norm_averages import re_estimate, re_estimate_for
from repro.nets import build
from repro.nets.batch_norm import BatchNorm
from tests.evaluation.generated_source import net, photos, run


def batches(count: int, batch: int = 8) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(batch, 3, 32, 32, generator=generator), torch.zeros(batch))
        for _ in range(count)
    ]


def direct(
    module: nn.Module, seen: list[tuple[Tensor, Tensor]]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean and variance of each batch norm's inputs, a batch at a time, averaged in double
    precision."""
    inputs: dict[str, list[Tensor]] = {}
    for name, part in module.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            part.register_forward_pre_hook(
                lambda _, x, name=name: inputs.setdefault(name, []).append(x[0].double())
            )
    module.train()
    with torch.no_grad():
        for images, _ in seen:
            module(images)
    return {
        name: (
            torch.stack([x.mean((0, 2, 3)) for x in values]).mean(0),
            torch.stack([x.transpose(0, 1).flatten(1).var(1) for x in values]).mean(0),
        )
        for name, values in inputs.items()
    }


def test_every_layers_statistics_equal_the_direct_computation() -> None:
    module, other, seen = net(), net(), batches(5)
    re_estimate(module, seen)
    for name, (mean, variance) in direct(other, seen).items():
        part = module.get_submodule(name)
        assert torch.allclose(part.running_mean.double(), mean, atol=1e-5)
        assert torch.allclose(part.running_var.double(), variance, rtol=1e-4)


def test_groups_of_a_batch_count_as_batches() -> None:
    seen = batches(1)
    grouped, whole = build(run().net, batch_norm_group=4), build(run().net)
    re_estimate(grouped, seen)
    re_estimate(
        whole,
        [
            (images, labels)
            for images, labels in zip(*(part.split(4) for part in seen[0]), strict=True)
        ],
    )
    stem = [module.get_submodule("stem.norm") for module in (grouped, whole)]
    assert torch.allclose(stem[0].running_var, stem[1].running_var, rtol=1e-5)


def test_only_the_statistics_change_and_training_goes_on_as_before() -> None:
    module = net()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.eval()
    re_estimate(module, batches(2))
    assert not module.training
    assert all(part.momentum == 0.1 for part in module.modules() if isinstance(part, BatchNorm))
    changed = {
        name.rpartition(".")[2]
        for name, value in module.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"running_mean", "running_var", "num_batches_tracked"}


def test_a_runs_statistics_are_over_the_batches_that_would_have_come_next(tmp_path: Path) -> None:
    source, module, other = photos(tmp_path), net(), net()
    re_estimate_for(run(), module, source)
    re_estimate(other, source.batches(0, 4, 24))  # 160 images are 20 batches of 8
    assert torch.equal(module.stem.norm.running_mean, other.stem.norm.running_mean)


def test_it_can_be_done_twice() -> None:
    module, seen = net(), batches(3)
    re_estimate(module, seen)
    first = module.stem.norm.running_var.clone()
    re_estimate(module, seen)
    assert torch.equal(module.stem.norm.running_var, first)
    assert float(first.min()) > 0
