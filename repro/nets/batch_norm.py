"""Batch norm over the whole batch, or over groups of it as on several GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.errors import UserError, quote
from repro.nets import exact_batch_norm, grouped_batch_norm


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with two abilities; in evaluation and in its state dict it is the same.

    `group`: in training each run of `group` images is normalised by its own statistics, as when
    the paper's batch was spread over GPUs. The running statistics move once a batch, towards the
    mean over the groups.

    `learning`: while False, training normalises as ever and leaves the running statistics alone
    (for recomputing).

    `num_batches_tracked` is not counted at each step, which would be one more kernel a layer:
    `set_batch_counts` sets it before the net is saved.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, channels: int, group: int | None = None) -> None:
        super().__init__(channels)
        self.group = group
        self.learning = True

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        groups = self._count_groups(x)
        exact = exact_batch_norm.can_normalise(x)
        if groups == 1 and self.learning and not exact:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, *self._learns()
            )
        if groups > 1 and x.device.type != "cpu":
            # Kernels are few on a GPU if all groups are normalised at once.
            y, mean, variance = grouped_batch_norm.normalise(
                x, groups, self.weight, self.bias, self.eps
            )
        else:
            y, mean, variance = self._one_after_another(x, groups, exact)
        if self.learning:
            self.running_mean.lerp_(mean, self._momentum())
            self.running_var.lerp_(variance, self._momentum())
        return y

    def _count_groups(self, x: Tensor) -> int:
        if self.group is None:
            return 1
        groups, rest = divmod(len(x), self.group)
        if rest:
            raise UserError(
                f"a batch of {quote(len(x))} images does not split into batch-norm groups "
                f"of {quote(self.group)}",
                "choose a batch per process that is a multiple of `recipe.batch_norm_group`",
            )
        return groups

    def _learns(self) -> tuple[bool, float, float]:
        """Return that it trains, its momentum and ε, as torch's function takes them."""
        return True, self._momentum(), self.eps

    def _momentum(self) -> float:
        assert self.momentum is not None
        return self.momentum

    def _one_after_another(
        self, x: Tensor, groups: int, exact: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the normalised images, and mean and variance averaged over the groups."""
        if groups == 1:
            return self._normalise(x, exact)
        outputs = []
        means = []
        variances = []
        for part in x.chunk(groups):
            y, mean, variance = self._normalise(part, exact)
            outputs.append(y)
            means.append(mean)
            variances.append(variance)
        return torch.cat(outputs), torch.stack(means).mean(0), torch.stack(variances).mean(0)

    def _normalise(self, x: Tensor, exact: bool) -> tuple[Tensor, Tensor, Tensor]:
        if exact:
            return exact_batch_norm.normalise(x, self.weight, self.bias, self.eps)
        # At momentum 1 torch leaves a batch's own mean and unbiased variance in the statistics.
        mean = torch.zeros_like(self.running_mean)
        variance = torch.ones_like(self.running_var)
        y = F.batch_norm(x, mean, variance, self.weight, self.bias, True, 1.0, self.eps)
        return y, mean, variance


def set_batch_counts(net: nn.Module, batches: int) -> None:
    """Write into each batch norm how many batches it has learned from, as torch's own count."""
    for part in net.modules():
        if isinstance(part, BatchNorm):
            part.num_batches_tracked.fill_(batches)


@contextmanager
def frozen_statistics(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Within it, these modules' batch norms normalise but do not move their statistics."""
    norms = []
    for module in modules:
        norms += [part for part in module.modules() if isinstance(part, BatchNorm)]
    for norm in norms:
        norm.learning = False
    try:
        yield
    finally:
        for norm in norms:
            norm.learning = True
