"""Batch norm over the whole batch, or over groups of it as on several GPUs; and one that can look without learning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.errors import UserError, quote
from repro.nets import exact_batch_norm


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`, with two abilities; in evaluation and in its state dict it is the same.

    `group`: in training each run of `group` images is normalised by its own statistics, as when the paper's batch was
    spread over GPUs; the running statistics move once a batch, towards the mean over the groups.
    `learning`: while False, training normalises as ever and leaves the running statistics alone (for recomputing).
    """

    def __init__(self, channels: int, group: int | None = None) -> None:
        super().__init__(channels)
        self.group = group
        self.learning = True

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        short = exact_batch_norm.can_normalise(x)
        if not short and self.learning and (self.group is None or len(x) == self.group):
            return super().forward(x)
        normalise = self._by_short_sums if short else self._by_torch
        outputs, *statistics = zip(*map(normalise, self._groups(x)), strict=True)
        if self.learning:
            self._learn(
                *(each[0] if len(each) == 1 else torch.stack(each).mean(0) for each in statistics)
            )
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs)

    def _by_short_sums(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return exact_batch_norm.normalise(x, self.weight, self.bias, self.eps)

    def _by_torch(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # At momentum 1 batch_norm leaves a batch's own mean and unbiased variance in its running statistics.
        mean, variance = torch.zeros_like(self.running_mean), torch.ones_like(self.running_var)
        y = F.batch_norm(
            x, mean, variance, self.weight, self.bias, training=True, momentum=1.0, eps=self.eps
        )
        return y, mean, variance

    def _groups(self, x: Tensor) -> tuple[Tensor, ...]:
        if self.group is None:
            return (x,)
        if len(x) % self.group:
            raise UserError(
                f"a batch of {quote(len(x))} images does not split into batch-norm groups of {quote(self.group)}",
                "choose a batch per process that is a multiple of `recipe.batch_norm_group`",
            )
        return x.split(self.group)

    def _learn(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance, weight)


@contextmanager
def frozen_statistics(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Within it, the batch norms of these modules normalise but leave their running statistics alone."""
    norms = [part for module in modules for part in module.modules() if isinstance(part, BatchNorm)]
    for norm in norms:
        norm.learning = False
    try:
        yield
    finally:
        for norm in norms:
            norm.learning = True
