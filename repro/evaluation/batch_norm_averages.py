"""The statistics that batch norm tests with, taken anew: true averages, not moving ones.

The authors' notes on their ImageNet nets: the statistics were "computed as average (not moving average) over a
sufficiently large training batch after the training procedure", which moved errors by less than 0.1 %.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from repro import distributed
from repro.data.source import Source
from repro.definition.run import Run

IMAGES = 51_200  # 200 batches of 256: a channel's statistics then vary by less than training's last steps moved them


def re_estimate_for(run: Run, net: nn.Module, source: Source) -> None:
    """Re-estimate over the batches that would have come next, at most once through the training images."""
    recipe = run.recipe
    count = max(1, min(IMAGES, source.train_images) // recipe.batch)
    last = recipe.iterations
    re_estimate(
        net, source.batches(run.seed, last, last + count, distributed.rank(), distributed.count())
    )


@torch.no_grad()
def re_estimate(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Set the running statistics of every batch norm to the mean of its statistics over these batches of equal size."""
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    moving, training = [norm.momentum for norm in norms], net.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch then keeps the mean of all batches
    net.train()
    for images, _ in batches:
        net(images)
    for norm, momentum in zip(norms, moving, strict=True):
        norm.momentum = momentum
        for statistic in (norm.running_mean, norm.running_var):
            statistic.copy_(distributed.total(statistic.clone()) / distributed.count())
    net.train(training)
