"""Batch norm's testing statistics taken anew: true averages instead of moving ones.

The authors' notes on their ImageNet nets: the statistics were "computed as average (not moving
average) over a sufficiently large training batch after the training procedure", which moved errors
by less than 0.1 %.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from repro import distributed
from repro.data.source import Source
from repro.definition.run import Run
from repro.nets.batch_norm import BatchNorm, set_batch_counts

# 200 batches of 256: a channel's statistics then vary by less than training's last steps moved them
IMAGES = 51_200


def re_estimate_for(run: Run, net: nn.Module, source: Source) -> None:
    """Re-estimate over the batches that would have come next, at most once through the images."""
    recipe = run.recipe
    count = max(1, min(IMAGES, source.train_images) // recipe.batch)
    last = recipe.iterations
    re_estimate(net, source.batches(run.seed, last, last + count, distributed.share()))


@torch.no_grad()
def re_estimate(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Set each batch norm's running statistics to their mean over these batches of equal size."""
    norms = [part for part in net.modules() if isinstance(part, BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    training = net.training
    net.train()
    for norm in norms:
        norm.reset_running_stats()
    for number, (images, _) in enumerate(batches, start=1):
        for norm in norms:
            norm.momentum = 1 / number  # which keeps the mean of all batches so far
        net(images)
        set_batch_counts(net, number)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        for statistic in (norm.running_mean, norm.running_var):
            mean = distributed.total(statistic.clone()) / distributed.share().processes
            statistic.copy_(mean)
    net.train(training)
